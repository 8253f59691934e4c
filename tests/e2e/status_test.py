"""`hark daemon status`: what runs, and how it looks while somebody watches."""

import json
import os
import pty
import re
import signal
import struct
import subprocess
import threading
import unittest
from fcntl import ioctl
from termios import TIOCSWINSZ

from support import DEADLINE, HARK, TestCase, eventually

CONFIG = """webhook_port = 0
[[sources]]
name = "go"
type = "topic"
events = ["go"]
handler = "work"
[handlers.work]
gates = [{ name = "good", run = "true" }]
steps = [{ name = "first", run = "true" }, { name = "second", run = "cat gate" }]
"""


class Terminal:
    """A terminal with a command on it; `screen` is what a person sees."""

    def __init__(self, project, rows, columns, *words):
        self.master, end = pty.openpty()
        ioctl(end, TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.rows, self.columns = rows, columns
        environment = {key: value for key, value in project.environment({"NO_COLOR": "1"}).items() if key not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen([HARK, *words, "--config", str(project.config)], stdin=end, stdout=end, stderr=end, cwd=project.path, env=environment, start_new_session=True)
        os.close(end)
        self.text = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while part := os.read(self.master, 65536):
                self.text += part
        except OSError:
            pass

    @property
    def screen(self):
        """The last whole picture: from one way home to the next."""
        pictures = self.text.decode(errors="replace").split("\x1b[H")
        return [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).rstrip("\r") for line in (pictures[-2] if len(pictures) > 1 else "").split("\n")]

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(DEADLINE)
        os.close(self.master)


class Status(TestCase):
    def at_work(self):
        project = self.project(CONFIG)
        os.mkfifo(project.path / "gate")
        daemon = self.daemon(project)
        project.hark("publish", "go")
        eventually(lambda: daemon.status()["running"] and "doing" in daemon.status()["running"][0] and daemon.status()["running"][0]["doing"]["step"] == "second")
        return project, daemon

    def test_what_runs_is_there_with_its_step(self):
        project, daemon = self.at_work()
        doing = daemon.status()["running"][0]["doing"]
        self.assertEqual((doing["step"], doing["iteration"]), ("second", 1))
        for columns in (50, 80, 200):
            lines = project.on_terminal(columns, "daemon", "status")
            table = lines[lines.index(next(line for line in lines if line.startswith("RUNNING"))):]
            self.assertTrue(all(len(line) <= columns for line in table), lines)
            row = table[1]
            self.assertIn("work", row)
            self.assertIn("second", row)
        (project.path / "gate").write_text("")
        daemon.wait_run("work")
        self.assertEqual(daemon.status()["running"], [])

    def test_watching_redraws_in_place_and_outlives_the_daemon(self):
        project, daemon = self.at_work()
        terminal = Terminal(project, 30, 80, "daemon", "status", "--watch", "--interval", "100ms")
        self.addCleanup(terminal.end)
        eventually(lambda: any("second" in line for line in terminal.screen))
        self.assertTrue(all(len(line) <= 80 for line in terminal.screen), terminal.screen)
        first = terminal.screen
        eventually(lambda: terminal.screen != first)  # the time goes on
        daemon.kill()
        eventually(lambda: "no daemon answers; waiting for it" in terminal.screen)
        self.daemon(project)
        eventually(lambda: any("hark 0" in line and "running" in line for line in terminal.screen))
        self.assertIsNone(terminal.process.poll())

    def test_a_low_terminal_is_not_scrolled(self):
        project, daemon = self.at_work()
        terminal = Terminal(project, 6, 80, "daemon", "status", "--watch", "--interval", "100ms")
        self.addCleanup(terminal.end)
        eventually(lambda: any("more lines" in line for line in terminal.screen))
        self.assertLessEqual(len(terminal.screen), 6)

    def test_elsewhere_it_is_one_after_the_other(self):
        project, daemon = self.at_work()
        watching = subprocess.Popen([HARK, "daemon", "status", "-w", "--interval", "100ms", "--json", "--config", project.config], stdout=subprocess.PIPE, text=True, cwd=project.path)
        self.addCleanup(lambda: (watching.kill(), watching.wait(), watching.stdout.close()))
        for _ in range(3):
            self.assertEqual(json.loads(watching.stdout.readline())["running"][0]["doing"]["step"], "second")
        wrong = project.hark("daemon", "status", "--watch", "--interval", "1ms", status=2)
        self.assertIn("--interval: 1ms is no duration of 100ms or more", wrong.stderr)
        self.assertEqual(project.hark("daemon", "status", "--interval", "1s", status=2).returncode, 2)


if __name__ == "__main__":
    unittest.main()
