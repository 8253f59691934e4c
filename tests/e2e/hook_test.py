"""The post-receive hook: from a push over git to the run, and what it does when there is no daemon."""

import os
import re
import socket
import stat
import subprocess
import unittest

from support import HARK, TestCase


class Hook(TestCase):
    CONFIG = """
[[sources]]
name = "site"
type = "git_push"
repository = "./site.git"
handler = "show"
[handlers.show]
run = ["echo", "{payload.before} {payload.after}"]
"""

    def setUp(self):
        super().setUp()
        self.work = self.project(self.CONFIG)
        self.work.git("init", "-q", "--bare", "-b", "main", "site.git")
        self.work.git("init", "-q", "-b", "main", "work")
        self.hook = self.work.path / "site.git/hooks/post-receive"

    def push(self, timeout=60):
        """What git says to who pushes."""
        self.work.git("-C", "work", "commit", "-q", "--allow-empty", "-m", "x")
        pushed = subprocess.run(["git", "push", "../site.git", "main"], cwd=self.work.path / "work", env=self.work.environment(), capture_output=True, text=True, check=True, timeout=timeout)
        return pushed.stderr

    def install(self, status=0):
        return self.work.hark("hook", "install", str(self.work.path / "site.git"), status=status)

    def test_each_push_is_a_run_of_its_own_and_nothing_is_said(self):
        self.assertIn(str(self.hook), self.install().stdout)
        self.assertEqual(stat.S_IMODE(self.hook.stat().st_mode), 0o755)
        daemon = self.daemon(self.work)
        for _ in range(5):
            self.assertNotIn("hark", self.push())
        tips = self.work.git("-C", "work", "rev-list", "main").split()[::-1]
        for before, after in zip(["0" * 40] + tips, tips):
            self.assertEqual(self.work.run_output(daemon.wait_run("show")["run"]).strip(), f"{before} {after}")
        self.assertEqual(len(self.work.events()), 5)

    def test_a_push_is_not_held_up_by_a_daemon_that_is_away_and_is_told_later(self):
        daemon = self.daemon(self.work)
        self.install()
        daemon.stop()
        self.assertIn("the daemon is away", self.push())
        daemon = self.daemon(self.work)
        daemon.wait_run("show")

    def test_a_push_is_not_held_up_by_a_daemon_that_does_not_answer(self):
        self.install()
        place = re.search(r"--socket '([^']+)'", self.hook.read_text()).group(1)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.bind(place)
            deaf.listen()
            self.push(timeout=20)  # less than others wait for a daemon

    def test_a_repository_that_nobody_watches_and_a_program_that_is_gone_are_said_and_harm_nothing(self):
        self.work.configure(self.CONFIG.replace("./site.git", "./work"))
        self.daemon(self.work)
        self.install()
        self.assertIn("no git_push source of the daemon watches this repository", self.push())
        self.hook.write_text(self.hook.read_text().replace(HARK, "/nowhere/hark"))
        self.assertIn("not found", self.push())

    def test_a_hook_of_somebody_elses_is_left_alone(self):
        self.hook.write_text("#!/bin/sh\necho mine\n")
        for arguments in (("install",), ("uninstall",)):
            said = self.work.hark("hook", *arguments, str(self.work.path / "site.git"), status=1) if arguments == ("install",) else subprocess.run([HARK, "hook", "uninstall", str(self.work.path / "site.git")], capture_output=True, text=True)
            self.assertEqual(said.returncode, 1)
        self.assertIn("hook receive --socket", self.install(status=1).stderr)
        self.assertEqual(self.hook.read_text(), "#!/bin/sh\necho mine\n")

    def test_one_that_somebody_added_to_is_his(self):
        self.install()
        self.hook.write_text(self.hook.read_text().replace("exit 0", "echo deploy\nexit 0"))
        self.assertIn("calls hark already", self.install().stdout)
        gone = subprocess.run([HARK, "hook", "uninstall", str(self.work.path / "site.git")], capture_output=True, text=True)
        self.assertEqual(gone.returncode, 1)
        self.assertIn("echo deploy", self.hook.read_text())
        self.hook.unlink()
        self.hook.symlink_to("nothing")
        self.assertIn("a link to nothing", self.install(status=1).stderr)

    def test_it_is_where_core_hooksPath_says_and_goes_again(self):
        self.work.git("-C", "site.git", "config", "core.hooksPath", str(self.work.path / "my hooks"))
        self.install()
        self.install()  # as often as one likes
        file = self.work.path / "my hooks/post-receive"
        self.assertTrue(file.exists())
        self.assertIn("the daemon is away", self.push())
        done = subprocess.run([HARK, "hook", "uninstall"], cwd=self.work.path / "site.git", capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, f"removed {file}"))
        self.assertFalse(file.exists())

    def test_no_repository_is_an_error_and_the_others_get_theirs(self):
        site = str(self.work.path / "site.git")
        for wrong, said in ((self.folder, "is no git repository"), ("https://example.org/x.git", "run this where it lies"), ("/nowhere/*.git", "expanded by the shell")):
            self.hook.unlink(missing_ok=True)
            done = self.work.hark("hook", "install", wrong, site, status=1)
            self.assertIn(said, done.stderr)
            self.assertEqual(done.stdout.count("wrote"), 1)
            self.assertTrue(self.hook.exists())


if __name__ == "__main__":
    unittest.main()
