"""Steps of tool = "git", with the real program, real repositories and a bare remote."""

import json

import support


class GitToolTest(support.TestCase):
    def repositories(self, text):
        project = self.project(text)
        for line in ("init -q -b main work", "init -q -b main --bare far.git", "-C work remote add origin ../far.git"):
            project.git(*line.split())
        (project.path / "work/a.txt").write_text("one\n")
        project.git("-C", "work", "add", "-A")
        project.git("-C", "work", "commit", "-q", "-m", "first")
        return project

    STEPS = """
        [handlers.save]
        working_directory = "work"
        inherit_environment = true
        steps = [
          {{ name = "write", tool = "file", action = "write", path = "note.md", content = "{{payload.text}}" }},
          {{ name = "branch", tool = "git", action = "branch", branch = "notes/{{payload.n}}" }},
          {{ name = "commit", tool = "git", action = "commit", message = "{{payload.text}}", author = "Eve <eve@example.org>" }},
          {{ name = "push", tool = "git", action = "push", branch = "notes/{{payload.n}}" }},
          {{ name = "log", tool = "git", action = "log", since = "1 week ago", format = "json" }},
        ]
        {}
        """

    def test_a_branch_is_made_committed_to_and_pushed(self):
        project = self.repositories(self.STEPS.format(""))
        payload = json.dumps({"text": "--amend $(touch stolen)", "n": 7})
        shown = project.hark("event", "--type", "custom", "--handler", "save", "--payload", payload, "--dry-run").stdout
        self.assertIn("git commit --quiet --cleanup=whitespace --file=- '--author=Eve <eve@example.org>'", shown)
        self.assertEqual(project.git("-C", "work", "branch", "--format=%(refname)"), "refs/heads/main")

        project.hark("event", "--type", "custom", "--handler", "save", "--payload", payload)
        tip = project.git("-C", "far.git", "rev-parse", "refs/heads/notes/7")
        self.assertEqual(project.git("-C", "far.git", "log", "-1", "--format=%s|%an|%cn", tip), "--amend $(touch stolen)|Eve|A U Thor")
        run = project.runs()[0]
        self.assertEqual(project.run_output(run["id"], 2), tip + "\n")
        self.assertEqual([each["subject"] for each in json.loads(project.run_output(run["id"], 4))], ["--amend $(touch stolen)", "first"])
        self.assertFalse((project.path / "work/stolen").exists())

    def test_a_commit_of_ones_own_does_not_start_its_handler(self):
        project = self.repositories("""
            [[sources]]
            name = "code"
            type = "git_push"
            repository = "work"
            handler = "save"
            [handlers.save]
            working_directory = "work"
            inherit_environment = true
            steps = [
              { tool = "file", action = "append", path = "seen.md", content = "{payload.after}\\n" },
              { tool = "git", action = "commit", message = "Seen" },
            ]
            """)
        daemon = self.daemon(project)
        (project.path / "work/b.txt").write_text("two\n")
        project.git("-C", "work", "add", "-A")
        project.git("-C", "work", "commit", "-q", "-m", "a person's")
        daemon.wait_run("save")
        daemon.wait_for(lambda line: line.get("name") == "event:dropped" and "its own run made this change" in line["message"], seen_too=True)
        self.assertEqual(len(project.runs(handler="save")), 1)
        self.assertEqual(project.git("-C", "work", "log", "-2", "--format=%s"), "Seen\na person's")


if __name__ == "__main__":
    support.unittest.main()
