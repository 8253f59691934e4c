"""Signals on the bus of a real daemon."""

import json
import unittest

from support import TestCase, eventually, gone

CONFIG = """
webhook_port = 0
[[sources]]
type = "topic"
topic = "work"
handler = "agent"
[handlers.agent]
steps = [{ name = "work", run = ["python3", "-c", "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid(), file=open('pid.new', 'w')); os.rename('pid.new', 'pid'); [time.sleep(0.01) for _ in iter(lambda: os.path.exists('go'), True)]"] }]
[handlers.gated]
steps = [{ name = "make", run = "echo made" }]
gates = [{ name = "approval", wait = "approved" }]
[signals]
stop_all = "halt"
pause_it = { action = "pause" }
go_on = "resume"
gate_complete = "release"
"""


class Signals(TestCase):
    def published(self, kind, *arguments):
        return self.box.hark("publish", kind, *arguments).stdout.strip()

    def begun(self):
        self.box = self.project(CONFIG)
        self.server = self.daemon(self.box)
        self.pid_file = self.box.path / "pid"

    def working(self):
        eventually(self.pid_file.exists)
        pid = int(self.pid_file.read_text())
        self.pid_file.unlink()
        return pid

    def test_an_emergency_stop_ends_what_ignores_it_and_all_goes_on_afterwards(self):
        self.begun()
        event = self.published("task", "--topic", "work")
        pid = self.working()
        self.published("stop_all")
        eventually(lambda: gone(pid))
        self.assertEqual(self.server.status()["state"], "halted")
        self.assertEqual(self.server.request("GET", "/readyz")[0], 503)
        self.assertEqual(self.server.request("POST", "/api/events/more", "{}")[0], 503)
        self.assertIn("emergency stop", self.box.hark("publish", "more", status=1).stderr)
        self.server.kill()
        self.server = self.daemon(self.box)
        self.assertEqual(self.server.status()["state"], "halted")
        self.box.hark("daemon", "resume")
        pid = self.working()
        (self.box.path / "go").touch()
        self.server.wait_run("agent")
        run = self.box.runs(handler="agent")[0]
        self.assertEqual((run["event"]["id"], run["state"], run["attempt"]), (event, "succeeded", 2))

    def test_a_person_stops_everything(self):
        self.begun()
        self.published("task", "--topic", "work")
        pid = self.working()
        self.assertIn("hark daemon resume", self.box.hark("daemon", "emergency-stop").stderr)
        eventually(lambda: gone(pid))
        self.box.hark("daemon", "emergency-stop")  # again: harmless
        self.box.hark("daemon", "resume")
        self.working()

    def test_a_paused_session_waits_and_explain_says_so(self):
        self.begun()
        (self.box.path / "go").touch()
        pause = self.published("pause_it", "--correlation-id", "story")
        self.published("task", "--topic", "work", "--correlation-id", "story")
        self.assertIn("session story is paused", self.box.hark("explain", pause).stdout)
        run = self.box.runs(handler="agent")[0]
        self.assertIn("session story is paused by a signal", self.box.hark("explain", run["id"]).stdout)
        self.published("go_on", "--correlation-id", "story")
        self.server.wait_run("agent")

    def test_a_run_that_waits_at_a_gate_is_released(self):
        self.begun()
        event = self.box.hark("daemon", "trigger", "gated").stdout.strip()
        eventually(lambda: self.box.runs(state="waiting"))
        self.published("gate_complete", "--correlation-id", event, "--data", json.dumps({"gate": "approval"}))
        self.server.wait_run("gated")


if __name__ == "__main__":
    unittest.main()
