"""`hark init`: a configuration to begin with, from a profile."""

import json
import os
import pathlib
import re
import resource
import signal
import unittest

from support import TestCase

PROFILES = pathlib.Path(__file__).resolve().parents[2] / "profiles"


class Init(TestCase):
    def test_the_least_there_is_runs_as_it_is(self):
        project = self.project("")
        (project.path / "hark.toml").unlink()
        said = project.hark("init")
        self.assertIn("wrote hark.toml, from the profile `minimal`", said.stderr)
        self.assertEqual((project.path / "hark.toml").read_text(), (PROFILES / "minimal.toml").read_text())
        project.hark("config", "check")
        done = project.hark("event", "--type", "file_change", "--payload", '{"path": "a", "event": "create"}')
        self.assertEqual(done.returncode, 0)

    def test_every_profile_is_right_but_for_variables_that_it_names_at_its_top(self):
        project = self.project("")
        listed = json.loads(project.hark("init", "--list", "--json").stdout)
        shipped = sorted(each.stem for each in PROFILES.glob("*.toml"))
        self.assertEqual([each["name"] for each in listed], shipped)
        for profile in listed:
            text = (PROFILES / f"{profile['name']}.toml").read_text()
            self.assertTrue(profile["about"], profile)
            said = project.hark("init", profile["name"], "--output", profile["name"] + ".toml")
            self.assertEqual((project.path / f"{profile['name']}.toml").read_text(), text)
            required = set(re.findall(r"\$\{(\w+):\?", text))
            for name in required:
                self.assertIn(name, said.stderr)
            self.assertEqual("before it runs it wants:" in said.stderr, bool(required), said.stderr)
            env = {name: "https://example.org/owner/name" if name == "REVIEW_REPOSITORY" else "owner/name" for name in required}
            project.config = project.path / f"{profile['name']}.toml"
            project.hark("config", "check", env=env)

    def test_what_is_there_is_not_written_over(self):
        project = self.project("")
        project.config.write_text("# mine\n")
        said = project.hark("init", status=1)
        self.assertIn("hark.toml is there already", said.stderr)
        self.assertEqual((project.path / "hark.toml").read_text(), "# mine\n")
        os.symlink(project.path / "away", project.path / "link.toml")
        project.hark("init", "--output", "link.toml", status=1)
        self.assertFalse((project.path / "away").exists())
        said = project.hark("init", "--output", "no/such/folder.toml", status=1)
        self.assertIn("cannot write no/such/folder.toml: No such file or directory", said.stderr)

    def test_a_full_disk_leaves_no_half_of_it(self):
        def full():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

        project = self.project("")
        said = project.hark("init", "--output", "cut.toml", status=1, preexec=full)
        self.assertIn("cannot write cut.toml: File too large", said.stderr)
        self.assertFalse((project.path / "cut.toml").exists())

    def test_a_profile_nobody_knows(self):
        project = self.project("")
        said = project.hark("init", "backap", "--output", "x.toml", status=1)
        self.assertIn("; did you mean `backup`", said.stderr)
        self.assertIn("hark init --list", said.stderr)
        self.assertFalse((project.path / "x.toml").exists())
        self.assertIn("hark: a profile's name is one word", project.hark("init", "../etc/passwd", "--output", "x.toml", status=1).stderr)

    def test_ones_own_come_first(self):
        project = self.project("")
        (project.path / "profiles").mkdir()
        mine = "# Mine. And more.\n[[sources]]\ntype = \"manual\"\nhandler = \"a\"\n[handlers.a]\nrun = \"true\"\n"
        (project.path / "profiles/minimal.toml").write_text(mine)
        self.assertEqual(project.hark("init", "--output", "-").stdout, mine)
        listed = {each["name"]: each["about"] for each in json.loads(project.hark("init", "--list", "--json").stdout)}
        self.assertEqual(listed["minimal"], "Mine")

    def test_the_list_fits_a_narrow_terminal(self):
        project = self.project("")
        shown = project.on_terminal(50, "init", "--list")
        self.assertLessEqual(max(len(line) for line in shown), 50, shown)
        self.assertIn("fix-failing-tests", shown)


if __name__ == "__main__":
    unittest.main()
