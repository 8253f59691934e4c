"""A watched tree on the file systems and in the states that people have: FUSE, ignored folders, a daemon that was killed."""

import json
import os
import shutil
import subprocess
import time
import unittest

from support import DEADLINE, TestCase

CONFIG = """
[[sources]]
name = "tree"
type = "file_change"
path = "tree"
debounce_ms = 50
{more}
handler = "show"
[handlers.show]
run = ["printf", "%s|", "{files}"]
"""


def config(more=""):
    return CONFIG.replace("{more}", more)


class Watching(TestCase):
    def changes(self, project):
        """All that was told: (kind, path), in order."""
        told = []
        for event in reversed(project.events()):
            if event["type"] == "file_change" and "members" not in event:  # a merge tells what its members told
                told += [(change["kind"], change["path"]) for change in event["data"]["changes"]]
        return told

    def wait_until(self, holds, why=lambda: ""):
        deadline = time.monotonic() + DEADLINE
        while not holds():
            self.assertLess(time.monotonic(), deadline, why())
            time.sleep(0.02)

    def wait_told(self, project, *wanted):
        self.wait_until(lambda: set(wanted) <= set(self.changes(project)), lambda: f"{wanted} of {self.changes(project)}")

    def note(self, daemon):
        return daemon.status()["sources"][0].get("note")

    def test_what_changes_behind_a_fuse_mount_is_found_by_polling_unasked(self):
        behind, tree = os.path.join(self.folder, "behind"), os.path.join(self.folder, "tree")
        os.mkdir(behind)
        os.mkdir(tree)
        if not shutil.which("bindfs") or not os.path.exists("/dev/fuse"):
            self.skipTest("no bindfs, or no /dev/fuse")
        mount = subprocess.Popen(["bindfs", "-f", behind, tree], stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (mount.terminate(), mount.wait()))
        self.wait_until(lambda: os.path.ismount(tree) or mount.poll() is not None)
        if mount.poll() is not None:
            self.skipTest("bindfs cannot mount here")
        project = self.project(config('poll_interval = "100ms"'))
        daemon = self.daemon(project)
        self.wait_until(lambda: (self.note(daemon) or "").startswith("polled"))
        self.assertRegex(self.note(daemon), r"^polled every [0-9a-z]+: fuse")
        with open(os.path.join(behind, "remote"), "w") as file:
            file.write("x")
        self.wait_told(project, ("create", "remote"))
        os.remove(os.path.join(behind, "remote"))
        self.wait_told(project, ("delete", "remote"))
        daemon.stop()

    def test_what_git_ignores_is_not_told(self):
        os.makedirs(os.path.join(self.folder, "tree/node_modules/x"))
        project = self.project(config())
        (project.path / "tree/.gitignore").write_text("node_modules/\n*.log\n!keep.log\n")
        daemon = self.daemon(project)
        for name in ("node_modules/x/y", "a.log", "keep.log", "last"):
            (project.path / "tree" / name).write_text("x")
        self.wait_told(project, ("create", "last"))
        self.assertEqual(sorted(self.changes(project)), [("create", "keep.log"), ("create", "last")])
        daemon.stop()

    def test_a_start_after_kill_9_tells_exactly_what_was_not_told(self):
        os.mkdir(os.path.join(self.folder, "tree"))
        project = self.project(config("catch_up = true"))
        (project.path / "tree/old").write_text("x")
        daemon = self.daemon(project)
        (project.path / "tree/told").write_text("x")
        self.wait_told(project, ("create", "told"))
        daemon.kill()
        (project.path / "tree/new").write_text("x")
        (project.path / "tree/old").write_text("longer")
        (project.path / "tree/told").unlink()
        daemon = self.daemon(project)
        self.wait_told(project, ("create", "new"), ("modify", "old"), ("delete", "told"))
        daemon.kill()
        daemon = self.daemon(project)
        (project.path / "tree/last").write_text("x")
        self.wait_told(project, ("create", "last"))
        self.assertEqual(sorted(self.changes(project)), [("create", "last"), ("create", "new"), ("create", "told"), ("delete", "told"), ("modify", "old")])
        daemon.stop()

    def test_reboot_runs_once_and_what_is_overdue_is_told(self):
        project = self.project("""
[[sources]]
name = "boot"
type = "schedule"
cron = "@reboot"
handler = "once"
[handlers.once]
run = "true"
expect_every = "1s"
on_overdue = "alarm"
[handlers.alarm]
run = ["printf", "%s", "{event.subject}"]
""")
        daemon = self.daemon(project)
        daemon.wait_run("once")
        self.assertEqual(project.run_output(daemon.wait_run("alarm")["run"]), "once")
        self.assertIn("overdue_since", next(handler for handler in daemon.status()["handlers"] if handler["name"] == "once"))
        daemon.kill()
        daemon = self.daemon(project)
        daemon.wait_run("alarm")
        self.assertEqual([event["type"] for event in project.events() if event["source"] == "boot"], ["schedule"])
        daemon.stop()


if __name__ == "__main__":
    unittest.main()
