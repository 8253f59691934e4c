#!/usr/bin/env python3
"""A disk of one megabyte fills under webhooks: senders are told to come again, the daemon lives, and nothing accepted is lost.

The disk is a tmpfs in a mount namespace of this test's own. Where none can be made the test says so and is skipped.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from support import DEADLINE, Project, TestCase

SKIPPED = 77  # ctest's SKIP_RETURN_CODE
INSIDE = "FULL_DISK_TEST_INSIDE"
SENDERS = 8

CONFIGURATION = """
webhook_port = 0
[[sources]]
name = "hook"
type = "webhook"
path = "/hook"
secret = "s"
handler = "h"
[handlers.h]
run = ["/bin/true"]
"""


def mount(folder, options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


class FullDisk(TestCase):
    def setUp(self):
        super().setUp()
        mount(self.folder, "size=1m")
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.folder], check=True)

    def make_space(self):
        mount(self.folder, "remount,size=64m")

    def post(self, number, size=3000):
        """One delivery, that `post_all` may send again: status, headers, event id."""
        status, headers, body = self.running.post_signed("/hook", {"n": number, "filler": "x" * size}, "s", {"Idempotency-Key": str(number)})
        return status, headers, json.loads(body).get("event_id")

    def fill(self):
        """Posts from many threads until the disk is full; the ids that were accepted, by number, and the numbers that were refused."""
        accepted, refused = {}, []
        number = 0
        with concurrent.futures.ThreadPoolExecutor(SENDERS) as senders:
            while len(refused) < 5 * SENDERS:
                numbers = range(number, number + SENDERS)
                number += SENDERS
                for n, (status, headers, event) in zip(numbers, senders.map(self.post, numbers)):
                    self.assertIn(status, (202, 503))
                    if status == 202:
                        accepted[n] = event
                    else:
                        self.assertGreater(int(headers["Retry-After"]), 0)
                        refused.append(n)
                self.assertLess(number, 10_000, "a disk of one megabyte is never full")
        return accepted, refused

    def until(self, condition):
        """What the condition found when it held."""
        deadline = time.monotonic() + DEADLINE
        while not (found := condition()):
            self.assertLess(time.monotonic(), deadline, f"never came: {self.running.status()}")
        return found

    def idle(self):
        queue = self.running.status()["queue"]
        return queue["waiting"] == 0 and queue["running"] == 0

    def accept(self, number):
        """The event's id, when it is accepted; None while the sender is to come again."""
        status, _, event = self.post(number)
        self.assertIn(status, (202, 503))
        return event if status == 202 else None

    def test_a_full_disk_refuses_and_when_there_is_space_again_it_goes_on(self):
        project = Project(self.folder, CONFIGURATION)
        self.running = self.daemon(project)
        accepted, refused = self.fill()
        self.assertGreater(len(accepted), 10)

        # Nothing is left to come for as long as it is full.
        self.assertEqual(self.running.request("GET", "/readyz")[0], 503)
        self.assertEqual(self.running.request("GET", "/healthz")[0], 200)
        self.assertEqual(self.post(10_001)[0], 503)
        self.assertEqual(self.running.request("GET", "/readyz")[0], 503)
        self.assertIn("journal_fault", self.running.status())

        self.make_space()
        for number in refused:
            accepted[number] = self.until(lambda: self.accept(number))
        self.assertEqual(self.running.request("GET", "/readyz")[0], 200)
        self.assertNotIn("journal_fault", self.running.status())

        for number, event in accepted.items():  # asked again, each is known
            self.assertEqual(self.post(number)[::2], (200, event))
        self.until(self.idle)
        self.assertEqual(self.running.stop(), 0)
        runs = project.runs()
        self.assertEqual(sorted(run["event"]["id"] for run in runs), sorted(accepted.values()))
        self.assertEqual({run["state"] for run in runs}, {"succeeded"})

    def test_a_daemon_that_is_killed_while_its_disk_is_full_starts_when_there_is_space_and_has_lost_nothing(self):
        project = Project(self.folder, CONFIGURATION)
        self.running = self.daemon(project)
        accepted, _ = self.fill()
        self.running.kill()
        self.make_space()
        self.running = self.daemon(project)
        self.until(self.idle)
        self.assertEqual(self.running.stop(), 0)
        self.assertEqual({run["state"] for run in project.runs()}, {"succeeded"})
        self.assertLessEqual(set(accepted.values()), {run["event"]["id"] for run in project.runs()})


def enter_namespace():
    """Runs this file anew where it may mount."""
    for how in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        probe = [*how, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]
        if subprocess.run(probe, capture_output=True).returncode == 0:
            os.environ[INSIDE] = "1"
            os.execvp(how[0], [*how, sys.executable, os.path.abspath(__file__), *sys.argv[1:]])
    print("SKIPPED: no tmpfs can be mounted here, neither as this user nor in a user namespace (unshare --map-root-user --mount)", file=sys.stderr)
    sys.exit(SKIPPED)


if __name__ == "__main__":
    if INSIDE not in os.environ:
        enter_namespace()
    unittest.main()
