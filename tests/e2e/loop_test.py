"""What a handler's own run changes does not start it for ever, and what a person changes meanwhile is not forgotten."""

import json
import os
import subprocess
import unittest

from support import TestCase


def own(line):
    return line.get("name") == "event:dropped" and "its own run made this change" in line["message"]


class Files(TestCase):
    def watched(self, command, more=""):
        os.mkdir(os.path.join(self.folder, "src"))
        project = self.project(f"""
[[sources]]
name = "code"
type = "file_change"
path = "src"
debounce_ms = 50
handler = "h"
[handlers.h]
run = '''{command}'''
{more}
""")
        return project, self.daemon(project)

    def test_a_handler_that_writes_below_its_own_folder_comes_to_rest(self):
        project, daemon = self.watched("date >> src/out.txt")
        (project.path / "src/a").write_text("x")
        daemon.wait_for(own)
        runs = project.runs()
        self.assertEqual([run["state"] for run in runs], ["succeeded"] * 2)  # its new output once, then it is known
        (project.path / "src/a").write_text("y")
        daemon.wait_for(own)
        self.assertEqual(len(project.runs()), 3)
        event = self.explained(project, "own run")
        self.assertEqual(event["causation_id"], project.runs()[0]["id"])
        self.assertGreater(event["hops"], 0)

    def explained(self, project, reason):
        events = json.loads(project.hark("history", "--events", "--json").stdout)["events"]
        for each in events:
            if any(reason in decision["reason"] for decision in each["decisions"]):
                return each["event"]
        raise AssertionError(f"no decision says '{reason}': {events}")

    def test_one_that_asks_for_it_is_started_by_its_own_changes(self):
        project, daemon = self.watched("test -e src/3 || touch src/$(ls src | wc -l)", "allow_self_trigger = true")
        (project.path / "src/a").write_text("x")
        daemon.wait_for(lambda line: line.get("name") == "run:complete" and (project.path / "src/3").exists())

    def test_what_a_person_changes_while_it_runs_starts_it_again(self):
        project, daemon = self.watched("echo {files} >> seen; until test -e go; do sleep 0.01; done; rm -f go")
        (project.path / "src/a").write_text("x")
        for name in ("b", "c", "d"):
            daemon.wait_for(lambda line: line.get("name") == "run:started")
            (project.path / "src" / name).write_text("x")
            daemon.wait_for(lambda line: line.get("name") == "event:received")
            (project.path / "go").touch()
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        (project.path / "go").touch()
        daemon.wait_run("h")
        self.assertIn("src/d", (project.path / "seen").read_text())

    def test_a_file_that_a_person_writes_again_as_it_is_while_it_runs_starts_it_again(self):
        project, daemon = self.watched("echo >> seen; until test -e go; do sleep 0.01; done; rm -f go", "max_concurrent = 1")
        (project.path / "src/a").write_text("x")
        for _ in range(3):
            daemon.wait_for(lambda line: line.get("name") == "run:started")
            (project.path / "src/a").write_text("x")
            daemon.wait_for(lambda line: line.get("name") == "event:received")
            (project.path / "go").touch()
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        (project.path / "go").touch()
        daemon.wait_run("h")
        self.assertEqual(len((project.path / "seen").read_text()), 4)

    def test_a_formatter_that_writes_a_persons_file_anew_each_time_comes_to_rest(self):
        project, daemon = self.watched("sed -i s/a/b/ src/text; echo >> formatted")
        for number in range(3):
            (project.path / "src/text").write_text(f"aa {number}")
            daemon.wait_for(own)
            self.assertEqual((project.path / "src/text").read_text(), f"bb {number}")
        # Once for what the person wrote, once for each version that the formatter made of it.
        self.assertEqual(len((project.path / "formatted").read_text()), 9)

    def test_somebody_who_writes_right_after_each_run_is_no_circle(self):
        project, daemon = self.watched("true")
        for number in range(20):
            (project.path / "src/a").write_text(str(number))
            daemon.wait_run("h")
        self.assertEqual(len(project.runs()), 20)
        # The kernel may stamp one a moment too early, so that it looks as if its run had made it; never so many in a row.
        events = json.loads(project.hark("history", "--events", "-n", "20", "--json").stdout)["events"]
        self.assertNotIn("perhaps a circle", str(events))
        self.assertEqual(min(each["event"].get("hops", 0) for each in events), 0)


class Git(TestCase):
    def test_a_commit_that_a_handler_makes_does_not_start_it(self):
        project = self.project("""
[[sources]]
name = "repo"
type = "git_push"
repository = "."
handler = "stamp"
[handlers.stamp]
run = "date >> stamped && git add stamped && git commit -qm stamped"
""")
        project.git("init", "-q", "-b", "main")
        project.git("commit", "-q", "--allow-empty", "-m", "first")
        daemon = self.daemon(project)
        project.git("commit", "-q", "--allow-empty", "-m", "second")
        daemon.wait_for(own)
        self.assertEqual([run["state"] for run in project.runs()], ["succeeded"])
        # A person's, of the same second as the run's own and of the next run's.
        for message in ("third", "fourth"):
            project.git("commit", "-q", "--allow-empty", "-m", message)
            daemon.wait_for(own)
        self.assertEqual(len(project.runs()), 3, daemon.text())
        # A person's: of the same moment, but made before.
        subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "third", "--date", "2020-01-01T00:00:00Z"], check=True, cwd=project.path,
                       env=project.environment({"GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z"}))
        daemon.wait_for(own)
        self.assertEqual(len(project.runs()), 4, daemon.text())
        self.assertEqual(list((project.path / ".hark/runs").iterdir()), [])  # what git told of itself is gone

    def test_what_is_committed_while_a_busy_handler_runs_starts_it_again(self):
        project = self.project("""
[[sources]]
name = "repo"
type = "git_push"
repository = "."
handler = "test"
[handlers.test]
max_concurrent = 1
run = "echo {payload.after} >> ../seen; git log -1 --format=%H > /dev/null; until test -e ../go; do :; done; rm -f ../go"
""")
        project.path = project.path / "work"
        project.path.mkdir()
        project.config = project.config.rename(project.path / "hark.toml")
        project.git("init", "-q", "-b", "main")
        project.git("commit", "-q", "--allow-empty", "-m", "first")
        daemon = self.daemon(project)
        seen = project.path.parent / "seen"
        for number in range(4):
            project.git("commit", "-q", "--allow-empty", "-m", f"number {number}")
            daemon.wait_for(lambda line: line.get("name") == "event:received")
            if number > 0:
                (project.path.parent / "go").touch()
            daemon.wait_for(lambda line: line.get("name") == "run:started")
        (project.path.parent / "go").touch()
        daemon.wait_run("test")
        self.assertEqual(seen.read_text().split()[-1], project.git("rev-parse", "HEAD"))
        self.assertEqual(len(seen.read_text().split()), 4)


if __name__ == "__main__":
    unittest.main()
