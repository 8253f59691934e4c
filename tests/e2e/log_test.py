"""Where the log goes, and in which form."""

import json
import os
import re
import subprocess
import unittest

from support import DEADLINE, HARK, TestCase


class Journald(TestCase):
    """Standard error is journald's when JOURNAL_STREAM says so: systemd.exec(5)."""

    def said(self, log_format, stream=None):
        project = self.project("")
        project.config.write_text(f'log_format = "{log_format}"\n[handlers.bad]\nrun = "false"\n')
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        status = os.fstat(writing)
        env = project.environment({"JOURNAL_STREAM": stream or f"{status.st_dev}:{status.st_ino}"})
        daemon = subprocess.Popen([HARK, "daemon", "--config", project.config], stdin=subprocess.DEVNULL, stderr=writing, cwd=project.path, env=env)
        os.close(writing)
        text = b""
        while b"is ready" not in text:
            text += os.read(reading, 65536)
        project.hark("daemon", "trigger", "--handler", "bad", "--wait", status=None)
        project.hark("daemon", "stop")
        self.assertEqual(daemon.wait(DEADLINE), 0)
        while part := os.read(reading, 65536):
            text += part
        return text.decode().splitlines()

    def test_each_line_has_its_priority_and_no_time(self):
        lines = self.said("text")
        self.assertTrue(any(re.match("<6>hark is ready", line) for line in lines), lines)
        self.assertTrue(any(re.match("<4>'bad' failed: .* run=.* handler=bad", line) for line in lines), lines)
        self.assertTrue(all(re.match("<[3467]>", line) for line in lines), lines)
        self.assertTrue(all(re.match('<[3467]>{"time":', line) for line in self.said("json")))

    def test_a_pipe_of_somebody_else_s_gets_lines_for_people(self):
        self.assertTrue(all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (info |warn |error) ", line) for line in self.said("text", stream="8:12345")))


class Floods(TestCase):
    def test_a_flood_is_told_of_by_a_hundred_lines_and_how_many_more_there_were(self):
        project = self.project("")
        project.config.write_text('webhook_port = 0\nlog_format = "json"\n[handlers.h]\nrun = "true"\n')
        daemon = self.daemon(project)
        batch = [{"specversion": "1.0", "id": str(i), "type": "flood", "source": "/a"} for i in range(1000)]
        self.assertEqual(daemon.request("POST", "/api/events", json.dumps(batch), {"Content-Type": "application/cloudevents-batch+json"})[0], 202)
        project.hark("daemon", "trigger", "--handler", "h", "--wait")
        project.hark("daemon", "stop")
        self.assertEqual(daemon.process.wait(DEADLINE), 0)
        with self.assertRaises(AssertionError):  # reads to the end
            daemon.wait_for(lambda line: False)
        received = [line for line in daemon.log if line.get("name") == "event:received" and "flood" in line["message"]]
        left_out = [re.match(r"(\d+) more lines? like this in one second: event:received of 'publishers//a'", line["message"]) for line in daemon.log if line.get("name") == "log:repeats"]
        self.assertEqual(len(received) + sum(int(found[1]) for found in left_out if found), 1000)
        self.assertLess(len(received), 1000)
        self.assertTrue([line for line in daemon.log if line.get("name") == "run:complete"])


if __name__ == "__main__":
    unittest.main()
