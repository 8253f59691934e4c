"""Pipelines of the real program: iterations until gates pass, workspaces, and what becomes of both when the daemon is killed."""

import email
import email.policy
import json
import os
import pathlib
import unittest

from scripted_server import ScriptedServer
from support import TestCase

STEPS = """
webhook_port = 0
[[sources]]
name = "person"
type = "manual"
handler = "five"
[handlers.five]
workspace = { kind = "git-worktree" }
on_interrupt = "HOW"
steps = [
  { name = "one", run = "echo one $HARK_IDEMPOTENCY_KEY >> $LOG; echo 1 > progress" },
  { name = "two", run = "echo two >> $LOG; echo 2 >> progress; echo of two" },
  { name = "three", run = "echo three $HARK_IDEMPOTENCY_KEY >> $LOG; echo here > $STARTED; read go < $GO" },
  { name = "four", run = "echo four {steps.two.output} >> $LOG; cat progress" },
  { name = "five", run = "echo five >> $LOG" },
]
environment = { LOG = "{env.LOG}", STARTED = "{env.STARTED}", GO = "{env.GO}" }
"""

AGENT = """
webhook_port = 0
[[sources]]
name = "person"
type = "manual"
handler = "fix"
[providers.coder]
type = "command"
command = ["./agent.sh"]
[handlers.fix]
workspace = { kind = "git-worktree", ref = "main" }
pass_environment = ["GIT_*"]
max_iterations = 3
stop_on_no_progress = true
steps = [{ name = "agent", prompt = "Make the tests pass.\\n{feedback}", provider = "coder" }]
gates = [
  { name = "tests", run = "sh ./test.sh" },
  { name = "style", run = "! grep -n TODO sum.sh" },
]
delivery = [{ name = "commit", run = "git commit -qam 'Mend the sum' && git push -q origin HEAD:refs/heads/mended" }]
"""

# Mends what it is told of, one thing a call.
AGENT_SH = """#!/bin/sh
told=$(cat)
case "$told" in
  "Make the tests pass.") echo 'echo $(($1 - $2)) # TODO' > sum.sh ;;
  *"expected 5"*) echo 'echo $(($1 + $2))' > sum.sh ;;
  *) echo "cannot help with: $told" >&2; exit 1 ;;
esac
"""

TEST_SH = """found=$(sh ./sum.sh 2 3)
[ "$found" = 5 ] || { echo "expected 5, found $found"; exit 1; }
"""


class Crash(TestCase):
    def begun(self, how):
        project = self.project(STEPS.replace("HOW", how))
        self.names = {name: str(pathlib.Path(self.folder) / name.lower()) for name in ("LOG", "STARTED", "GO")}
        for name in ("STARTED", "GO"):
            os.mkfifo(self.names[name])
        project.git("init", "-q", "-b", "main")
        project.git("commit", "-q", "--allow-empty", "-m", "first")
        daemon = self.daemon(project, env=self.names)
        project.hark("daemon", "trigger", "--handler", "five")
        self.reached_three()
        return project, daemon

    def reached_three(self):
        with open(self.names["STARTED"], encoding="utf-8") as started:
            self.assertEqual(started.read(), "here\n")

    def log(self):
        return pathlib.Path(self.names["LOG"]).read_text().splitlines()

    def workspaces(self, project):
        folder = project.path / ".hark/workspaces"
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.exists() else []

    def test_in_the_middle_of_step_3_of_5_goes_on_there_in_the_same_workspace(self):
        project, daemon = self.begun("resume")
        run = project.runs()[0]["id"]
        self.assertEqual(self.workspaces(project), [run])
        daemon.kill()
        again = self.daemon(project, env=self.names)
        self.reached_three()
        pathlib.Path(self.names["GO"]).write_text("go\n")
        again.wait_run("five")
        keys = [line.split()[1] for line in self.log() if line.startswith("three")]
        self.assertEqual([line.split()[0] for line in self.log()], ["one", "two", "three", "three", "four", "five"])
        self.assertEqual(len(set(keys)), 1)
        self.assertIn("four of two", self.log())
        whole = json.loads(project.hark("history", run, "--json").stdout)
        self.assertEqual((whole["state"], whole["attempt"]), ("succeeded", 2))
        self.assertEqual([step["name"] for step in whole["steps"]], ["one", "two", "three", "four", "five"])
        self.assertEqual(whole["steps"][3]["output"], "1\n2\n")
        self.assertEqual(self.workspaces(project), [])
        self.assertNotIn("workspaces", project.git("worktree", "list"))

    def test_of_a_run_that_does_not_go_on_leaves_no_workspace(self):
        project, daemon = self.begun("fail")
        daemon.kill()
        self.assertEqual(len(self.workspaces(project)), 1)
        again = self.daemon(project, env=self.names)
        self.assertNotIn("workspaces", project.git("worktree", "list"))
        self.assertEqual(project.runs()[0]["state"], "interrupted")
        self.assertEqual(again.stop(), 0)
        self.assertEqual([name for name in self.workspaces(project) if not name.endswith(".gone")], [])

    def test_a_stop_in_the_middle_keeps_it_too(self):
        project, daemon = self.begun("resume")
        project.configure('drain_timeout = "1ms"\n' + STEPS.replace("HOW", "resume"))
        project.hark("daemon", "reload")
        self.assertEqual(daemon.stop(), 0)
        again = self.daemon(project, env=self.names)
        self.reached_three()
        pathlib.Path(self.names["GO"]).write_text("go\n")
        again.wait_run("five")
        self.assertEqual(json.loads(project.hark("history", project.runs()[0]["id"], "--json").stdout)["steps"][3]["output"], "1\n2\n")


class Forms(TestCase):
    def test_files_of_a_form_are_what_a_reader_of_mail_finds_in_it(self):
        server = ScriptedServer()
        self.addCleanup(server.close)
        server.answers = [(200, {})]
        project = self.project(f"""
            [handlers.send]
            http = {{ url = "{server.url}/upload", form = {{ title = "{{payload.title}}", report = {{ file = "{{payload.file}}", type = "text/csv" }}, raw = {{ file = "raw.bin", filename = "a b.bin" }} }} }}
            """)
        raw = bytes(range(256)) * 3 + b"\r\n--hark-"
        (project.path / "raw.bin").write_bytes(raw)
        (project.path / "r.csv").write_text("a,b\r\n")
        payload = json.dumps({"title": "Ünï\r\n--x", "file": "./r.csv"})
        shown = project.hark("event", "--type", "custom", "--handler", "send", "--payload", payload, "--dry-run").stdout
        self.assertIn("report: the file ./r.csv", shown)
        project.hark("event", "--type", "custom", "--handler", "send", "--payload", payload)
        sent = server.requests[0]
        mail = email.message_from_bytes(b"Content-Type: " + sent.headers["content-type"].encode() + b"\r\n\r\n" + sent.body, policy=email.policy.HTTP)
        parts = {each.get_param("name", header="content-disposition"): each for each in mail.iter_parts()}
        self.assertEqual({name: each.get_payload(decode=True) for name, each in parts.items()}, {"title": "Ünï\r\n--x".encode(), "report": b"a,b\r\n", "raw": raw})
        self.assertEqual([(each.get_filename(), each.get_content_type()) for each in (parts["report"], parts["raw"])],
                         [("r.csv", "text/csv"), ("a b.bin", "application/octet-stream")])


class Iterations(TestCase):
    def test_an_agent_tries_until_the_tests_pass_and_only_that_is_delivered(self):
        project = self.project(AGENT, log_level="debug")
        project.git("init", "-q", "-b", "main")
        project.git("init", "-q", "--bare", "origin.git")
        project.git("remote", "add", "origin", str(project.path / "origin.git"))
        for name, text in (("agent.sh", AGENT_SH), ("test.sh", TEST_SH), ("sum.sh", "echo nothing\n")):
            (project.path / name).write_text(text)
            (project.path / name).chmod(0o755)
        project.git("add", "agent.sh", "test.sh", "sum.sh")
        project.git("commit", "-q", "-m", "first")
        daemon = self.daemon(project)
        run = json.loads(project.hark("daemon", "trigger", "--handler", "fix", "--wait", "--json").stdout)["runs"][0]["id"]
        daemon.wait_run("fix")
        self.assertEqual(project.git("--git-dir", "origin.git", "show", "mended:sum.sh"), "echo $(($1 + $2))")
        self.assertEqual((project.path / "sum.sh").read_text(), "echo nothing\n")
        shown = project.hark("history", run).stdout
        for line in ("  gate tests  failed", "  iteration 2", "  gate style  succeeded", "  delivery commit  succeeded", "      expected 5, found -1"):
            self.assertIn(line, shown)
        names = [line["name"] for line in daemon.log if "name" in line]
        self.assertEqual([line["message"] for line in daemon.log if line.get("name") == "strategy:decision"],
                         ["after iteration 1: iterate, gate 'tests' did not pass: exit status 1; gate 'style' did not pass: exit status 1",
                          "after iteration 2: deliver, every gate passed"])
        for name in ("workspace:acquired", "verification:started", "gate:checked", "verification:complete", "delivery:started", "delivery:complete", "workspace:released"):
            self.assertIn(name, names)
        self.assertFalse(list((project.path / ".hark/workspaces").iterdir()))

    def test_a_dry_run_shows_gates_and_delivery(self):
        project = self.project(AGENT)
        shown = project.hark("event", "--type", "manual", "--handler", "fix", "--dry-run").stdout
        self.assertIn("  gate tests (run)", shown)
        self.assertIn("  delivery commit (run)", shown)


if __name__ == "__main__":
    unittest.main()
