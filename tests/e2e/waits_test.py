"""Runs of the real program that publish events and wait for one another's."""

import json
import os
import pathlib
import signal
import subprocess
import unittest

from support import DEADLINE, HARK, TestCase

REVIEW = """
webhook_port = 0
[[sources]]
name = "work"
type = "manual"
handler = "author"
[[sources]]
name = "reviews"
type = "manual"
handler = "reviewer"
[[sources]]
name = "answers"
type = "manual"
handler = "nobody"
where = "payload.never:"
[handlers.author]
workspace = { kind = "temporary" }
max_concurrent = 1
steps = [
  { name = "write", tool = "file", action = "write", path = "draft", content = "{payload.text}" },
  { name = "ask", publish = "review_requested", topic = "coordination", source = "reviews", data = { text = "{payload.text}", run = "{run.id}" } },
  { name = "review", wait = ["review_complete", "review_refused"], topic = "coord*", where = "payload.run:{run.id}", timeout = "1h" },
  { name = "tell", run = "cat draft; echo ' is {steps.review.json.data.verdict}'" },
  { name = "clean", run = "echo cleaned >> {env.LOG}", always = true },
]
[handlers.reviewer]
steps = [
  { name = "look", run = "echo here > {env.STARTED}; read go < {env.GO}" },
  { publish = "review_complete", topic = "coordination", data = { run = "{payload.run}", verdict = "good" } },
]
[handlers.nobody]
run = "true"
[handlers.patient]
timeout = "1s"
steps = [{ name = "nap", wait = "never", timeout = "TIMEOUT" }]
"""


class Waits(TestCase):
    def begun(self, timeout="1h"):
        project = self.project(REVIEW.replace("TIMEOUT", timeout))
        self.names = {name: str(pathlib.Path(self.folder) / name.lower()) for name in ("LOG", "STARTED", "GO")}
        for name in ("STARTED", "GO"):
            os.mkfifo(self.names[name])
        return project

    def asked(self, project, text="a draft"):
        project.hark("daemon", "trigger", "--handler", "author", "--payload", json.dumps({"text": text}))
        with open(self.names["STARTED"], encoding="utf-8") as started:
            self.assertEqual(started.read(), "here\n")

    def answer(self):
        pathlib.Path(self.names["GO"]).write_text("go\n")

    def whole(self, project, run):
        return json.loads(project.hark("history", run, "--json").stdout)

    def test_a_review_is_asked_for_and_waited_for_without_a_slot(self):
        project = self.begun()
        project.configure("max_concurrent_handlers = 1\n" + REVIEW.replace("TIMEOUT", "1h"))
        daemon = self.daemon(project, env=self.names)
        self.asked(project)  # the reviewer runs in the one slot there is
        (author,) = project.runs(handler="author")
        self.assertEqual(author["state"], "waiting")
        self.assertRegex(author["error"], r"^waits for an event of one of the types 'review_complete', 'review_refused' with the topic 'coord\*' \(where payload.run:\"" + author["id"] + r"\"\) until ")
        self.assertIn("1 waiting for an event", project.hark("daemon", "status").stdout)
        self.assertEqual(daemon.status()["queue"]["for_events"], 1)
        self.answer()
        daemon.wait_run("author")
        whole = self.whole(project, author["id"])
        self.assertEqual([(step["name"], step["state"]) for step in whole["steps"]], [(name, "succeeded") for name in ("write", "ask", "review", "tell", "clean")])
        self.assertEqual(whole["steps"][3]["output"], "a draft is good\n")
        self.assertEqual((whole["attempt"], whole["state"]), (1, "succeeded"))
        asked, answered = (json.loads(whole["steps"][i]["output"]) for i in (1, 2))
        events = {event["id"]: event for event in project.events()}
        self.assertEqual(events[asked["event_id"]]["causation_id"], author["id"])
        self.assertEqual(answered["correlation_id"], author["correlation_id"])
        self.assertIn("waited for it in step 'review'", project.hark("explain", answered["id"]).stdout)
        daemon.stop()

    def test_one_that_waits_outlives_kill_9_and_what_came_before_it_waited_counts(self):
        project = self.begun()
        daemon = self.daemon(project, env=self.names)
        self.asked(project)
        daemon.kill()
        again = self.daemon(project, env=self.names)  # the reviewer was cut off, and begins its step anew
        with open(self.names["STARTED"], encoding="utf-8") as started:
            self.assertEqual(started.read(), "here\n")
        (author,) = project.runs(handler="author")
        self.assertEqual(author["state"], "waiting")
        self.answer()
        again.wait_run("author")
        self.assertEqual(self.whole(project, author["id"])["steps"][3]["output"], "a draft is good\n")
        self.assertEqual(len([event for event in project.events() if event["type"] == "review_requested"]), 1)
        self.assertEqual(os.listdir(project.path / ".hark/workspaces"), [])
        again.stop()

    def test_one_that_is_cancelled_cleans_up_after_itself(self):
        project = self.begun()
        daemon = self.daemon(project, env=self.names)
        self.asked(project)
        (author,) = project.runs(handler="author")
        project.hark("daemon", "cancel", author["id"])
        daemon.wait_run("author", "cancelled")
        self.assertEqual(pathlib.Path(self.names["LOG"]).read_text(), "cleaned\n")
        self.assertEqual(os.listdir(project.path / ".hark/workspaces"), [])
        self.answer()
        daemon.wait_run("reviewer")
        daemon.stop()

    def test_its_time_is_its_own_not_the_handlers(self):
        project = self.begun(timeout="1500ms")
        daemon = self.daemon(project, env=self.names)
        project.hark("daemon", "trigger", "--handler", "patient")
        daemon.wait_run("patient", "timed_out")
        (run,) = project.runs(handler="patient")
        self.assertRegex(run["error"], r"^there came no event of type 'never' until ")
        daemon.stop()

    def test_one_event_alone_leaves_its_wait_to_the_daemon(self):
        project = self.begun()
        ready = project.path / "ready"
        ready.write_text("go\n")
        project.hark("event", "--type", "manual", "--handler", "author", "--payload", '{"text": "x"}', env={**self.names, "STARTED": "/dev/null", "GO": str(ready)})
        self.assertEqual(project.runs(handler="author")[0]["state"], "succeeded")  # both in one process
        done = project.hark("event", "--type", "manual", "--handler", "patient")
        self.assertIn("waits for an event of type 'never'", done.stderr)
        daemon = self.daemon(project, env=self.names)
        (run,) = project.runs(handler="patient")
        project.hark("daemon", "cancel", run["id"])
        daemon.wait_run("patient", "cancelled")
        daemon.stop()

    def test_a_signal_ends_an_event_alone_that_waits_beside_one_that_works(self):
        project = self.begun()
        process = subprocess.Popen([HARK, "event", "--type", "manual", "--handler", "author", "--payload", '{"text": "x"}', "--config", str(project.config)],
                                   cwd=project.path, env=project.environment(self.names), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with open(self.names["STARTED"], encoding="utf-8") as started:
            self.assertEqual(started.read(), "here\n")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(project.runs(handler="author")[0]["state"], "cancelled")
        self.assertEqual(pathlib.Path(self.names["LOG"]).read_text(), "cleaned\n")


if __name__ == "__main__":
    unittest.main()
