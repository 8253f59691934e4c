"""The scripts of examples/, each by the interpreter it is for, against a real daemon."""

import os
import pathlib
import shutil
import subprocess
import unittest

from support import DEADLINE, TestCase

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
KINDS = {"sh": (["sh"], "{}.sh"), "python": (["/usr/bin/python3"], "{}.py"), "node": (["node"], "{}.mjs")}


class Examples(TestCase):
    def setUp(self):
        super().setUp()
        self.box = self.project("webhook_port = 0\n")
        self.daemon_ = self.daemon(self.box)
        self.environment = {**os.environ, "HARK_URL": f"http://127.0.0.1:{self.daemon_.port}", "PYTHONDONTWRITEBYTECODE": "1"}
        self.environment.pop("HARK_TOKEN", None)

    def start(self, kind, name, *words):
        program, pattern = KINDS[kind]
        file = EXAMPLES / pattern.format(name.replace("-", "_") if kind == "python" else name)
        process = subprocess.Popen([*program, file, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def output(self, process):
        out, errors = process.communicate(timeout=DEADLINE)
        self.assertEqual(process.returncode, 0, errors)
        return out

    def each(self, check):
        for kind, (program, _) in KINDS.items():
            with self.subTest(kind):
                if shutil.which(program[0]) is None and "CI" not in os.environ:  # there scripts/bootstrap has brought it
                    self.skipTest(program[0] + " is not installed")
                check(kind)

    def test_request_response(self):
        def check(kind):
            first = self.start(kind, "request-response", "ask", "is it done")
            other = self.start(kind, "request-response", "ask", "and that")
            self.output(self.start(kind, "request-response", "answer", "2"))
            self.assertEqual(self.output(first), "is it done: yes\n")
            self.assertEqual(self.output(other), "and that: yes\n")

        self.each(check)

    def test_feedback_loop(self):
        def check(kind):
            writer, reviewer = self.start(kind, "feedback-loop", "write", "s-" + kind), self.start(kind, "feedback-loop", "review", "s-" + kind)
            self.assertEqual(self.output(writer), "approved in round 3\n")
            self.output(reviewer)

        self.each(check)

    def test_phased_workflow(self):
        def check(kind):
            leader, worker = self.start(kind, "phased-workflow", "lead", "s-" + kind), self.start(kind, "phased-workflow", "work", "s-" + kind)
            self.assertEqual(self.output(leader), "plan done\nbuild done\nverify done\n")
            self.output(worker)

        self.each(check)

    def test_fan_out(self):
        def check(kind):
            asking = self.start(kind, "fan-out", "ask", "s-" + kind, "3")
            workers = [self.start(kind, "fan-out", "work", "s-" + kind, name) for name in ("a", "b", "c")]
            self.assertEqual(sorted(self.output(asking).split()), ["a", "b", "c"])
            for worker in workers:
                self.output(worker)

        self.each(check)

    def test_who_asked_many_is_killed_and_gathers_what_came_meanwhile(self):
        def check(kind):
            asking = self.start(kind, "fan-out", "ask", "again-" + kind, "2")
            self.output(self.start(kind, "fan-out", "work", "again-" + kind, "a"))
            asking.kill()
            self.output(self.start(kind, "fan-out", "work", "again-" + kind, "b"))
            self.assertEqual(self.output(self.start(kind, "fan-out", "ask", "again-" + kind, "2")).split(), ["a", "b"])

        self.each(check)

    def test_a_question_may_be_any_text(self):
        text = 'is "it", \\ done? {x: 1}'

        def check(kind):
            asking = self.start(kind, "request-response", "ask", text)
            self.output(self.start("python", "request-response", "answer"))
            self.assertIn(": yes", self.output(asking))
            asking = self.start("python", "request-response", "ask", text)
            self.output(self.start(kind, "request-response", "answer"))
            self.assertEqual(self.output(asking), text + ": yes\n")

        self.each(check)

    def test_without_a_daemon_they_end(self):
        self.daemon_.stop()

        def check(kind):
            for words in (("request-response", "ask", "x"), ("request-response", "answer"), ("feedback-loop", "review", "s"), ("phased-workflow", "work", "s"), ("fan-out", "work", "s", "a"),
                          ("dependency-chain", "s", "b", "a")):
                process = self.start(kind, *words)
                process.communicate(timeout=DEADLINE)
                self.assertNotEqual(process.returncode, 0, words)

        self.each(check)

    def test_dependency_chain(self):
        def check(kind):
            last = self.start(kind, "dependency-chain", "s-" + kind, "release", "build", "test")
            middle = self.start(kind, "dependency-chain", "s-" + kind, "test", "build")
            self.assertEqual(self.output(self.start(kind, "dependency-chain", "s-" + kind, "build")), "build done\n")
            self.assertEqual(self.output(middle), "test done\n")
            self.assertEqual(self.output(last), "release done\n")

        self.each(check)

    def test_killed_and_started_anew_they_go_on(self):
        def check(kind):
            writer = self.start(kind, "feedback-loop", "write", "k-" + kind)
            writer.kill()
            reviewer = self.start(kind, "feedback-loop", "review", "k-" + kind)
            reviewer.kill()
            again = self.start(kind, "feedback-loop", "write", "k-" + kind)
            self.output(self.start(kind, "feedback-loop", "review", "k-" + kind))
            self.assertEqual(self.output(again), "approved in round 3\n")

        self.each(check)


if __name__ == "__main__":
    unittest.main()
