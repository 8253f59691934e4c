"""The profiles that come with hark, each doing what it says with real parts."""

import hashlib
import hmac
import json
import pathlib
import tarfile
import unittest

from scripted_server import ScriptedServer
from support import TestCase

PROFILES = pathlib.Path(__file__).resolve().parents[2] / "profiles"


class Profiles(TestCase):
    def profile(self, name):
        text = (PROFILES / f"{name}.toml").read_text()
        return self.project(text.replace("webhook_port = 8080", "webhook_port = 0").replace('debounce = "10s"', 'debounce = "10ms"'))

    def repository(self, project, folder, files):
        """A clone with a bare remote, and a commit of these files on main."""
        project.git("init", "-q", "--bare", "-b", "main", f"{folder}-remote.git")
        project.git("init", "-q", "-b", "main", folder)
        project.git("-C", folder, "remote", "add", "origin", str(project.path / f"{folder}-remote.git"))
        for key, value in (("user.name", "A U Thor"), ("user.email", "author@example.org")):
            project.git("-C", folder, "config", key, value)
        return self.commit(project, folder, files)

    def commit(self, project, folder, files, push=True):
        for name, text in files.items():
            (project.path / folder / name).write_text(text)
        project.git("-C", folder, "add", "--all")
        project.git("-C", folder, "commit", "-q", "-m", "change " + ", ".join(files))
        if push:
            project.git("-C", folder, "push", "-q", "origin", "main")
        return project.git("-C", folder, "rev-parse", "HEAD")

    def test_minimal(self):
        project = self.profile("minimal")
        daemon = self.daemon(project)
        (project.path / "a file").write_text("x")
        run = daemon.wait_run("on-change")
        self.assertEqual(project.run_output(run["run"]), f"changed: {project.path}/a file\n")
        daemon.stop()

    def test_static_site(self):
        project = self.profile("static-site")
        content, public = project.path / "content", project.path / "public"
        content.mkdir()
        (content / "index.html").write_text("one")
        daemon = self.daemon(project, env={"SITE_BUILD": 'grep -L broken content/index.html | grep -q . && cp -r content/. "$OUT"'})
        for text in ("two", "three"):
            (content / "index.html").write_text(text)
            daemon.wait_run("build")
            self.assertEqual((public / "index.html").read_text(), text)
        (content / "index.html").write_text("broken")
        daemon.wait_run("build", "failed")
        self.assertEqual((public / "index.html").read_text(), "three")
        self.assertFalse((project.path / "public.old").exists())
        daemon.stop()

    def test_static_site_copies_where_nothing_is_said(self):
        project = self.profile("static-site")
        (project.path / "content/deep").mkdir(parents=True)
        daemon = self.daemon(project)
        (project.path / "content/deep/page").write_text("text")
        daemon.wait_run("build")
        self.assertEqual((project.path / "public/deep/page").read_text(), "text")
        daemon.stop()

    def test_backup(self):
        project = self.profile("backup")
        data = project.path / "data"
        data.mkdir()
        (data / "a file").write_text("kept")
        env = {"BACKUP_KEEP": "2"}
        kept = []
        for _ in range(3):
            project.hark("event", "--type", "manual", "--handler", "backup", env=env)
            kept.append(project.runs(handler="backup")[0]["id"] + ".tar.gz")
        archives = sorted(entry.name for entry in (project.path / "backups").iterdir())
        self.assertEqual(archives, kept[1:])
        with tarfile.open(project.path / "backups" / archives[1]) as archive:
            self.assertEqual(archive.extractfile("./a file").read(), b"kept")
        self.assertEqual((project.path / "backups" / archives[1]).stat().st_mode & 0o777, 0o600)
        for wrong in ("0", "-1", "abc", "08"):  # nothing is packed, and nothing forgotten
            said = project.hark("event", "--type", "manual", "--handler", "backup", env={"BACKUP_KEEP": wrong}, status=1)
            self.assertIn("BACKUP_KEEP is to be a number from 1 on, and is: " + wrong, said.stdout)
        self.assertEqual(sorted(entry.name for entry in (project.path / "backups").iterdir()), archives)

    def test_deploy_webhook(self):
        secret = "of-the-webhook-4711"
        project = self.profile("deploy-webhook")
        first = self.repository(project, "work", {"deploy.sh": "git rev-parse HEAD >> ../deployed\n"})
        (project.path / "work/deploy.sh").chmod(0o755)
        first = self.commit(project, "work", {"page": "one"})
        project.git("clone", "-q", "work-remote.git", "site")
        project.git("-C", "work", "checkout", "-q", "-b", "aside")
        aside = self.commit(project, "work", {"page": "evil"}, push=False)
        project.git("-C", "work", "push", "-q", "origin", "aside")
        project.git("-C", "site", "fetch", "-q", "origin", "aside")
        daemon = self.daemon(project, env={"DEPLOY_SECRET": secret})

        def push(after, ref="refs/heads/main", key=secret, event="push"):
            body = json.dumps({"ref": ref, "after": after, "deleted": False}).encode()
            signature = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
            return daemon.request("POST", "/hooks/deploy", body, {"Content-Type": "application/json", "X-GitHub-Event": event, "X-Hub-Signature-256": signature})[0]

        self.assertEqual(push(first, key="of somebody else"), 401)
        self.assertEqual(push(first, ref="refs/heads/aside"), 202)
        self.assertEqual(push(first, event="issues"), 202)
        self.assertEqual(push(first), 202)
        daemon.wait_run("deploy")
        self.assertEqual((project.path / "deployed").read_text().split(), [first])
        for hostile in (aside, "--detach", "-f", "$(touch pwned)"):  # a commit of another branch, an option, a command
            self.assertEqual(push(hostile), 202)
            daemon.wait_run("deploy", "failed")
        self.assertEqual((project.path / "deployed").read_text().split(), [first])
        self.assertFalse(list(project.path.rglob("pwned")))
        daemon.stop()

    def test_fix_failing_tests(self):
        project = self.profile("fix-failing-tests")
        self.repository(project, "work", {"sum.sh": "echo $(($1 + $2))\n", "test.sh": '[ "$(sh sum.sh 2 3)" = 5 ] || { echo "2 and 3 make $(sh sum.sh 2 3)"; exit 1; }\n'})
        agent = project.path / "agent.sh"
        agent.write_text("#!/bin/sh\ntold=$(cat)\ncase \"$told\" in *'2 and 3 make -1'*) sed -i 's/-/+/' sum.sh ;; *) exit 1 ;; esac\n")
        agent.chmod(0o755)
        daemon = self.daemon(project, env={"FIX_REPOSITORY": "work", "FIX_TESTS": "sh test.sh", "FIX_AGENT": str(agent)})
        self.commit(project, "work", {"note": "all is well"})
        daemon.wait_run("fix")
        self.assertEqual(project.git("-C", "work-remote.git", "branch", "--list", "mended/*"), "")
        broken = self.commit(project, "work", {"sum.sh": "echo $(($1 - $2))\n"})
        run = daemon.wait_run("fix")["run"]
        self.assertEqual(project.git("-C", "work-remote.git", "show", f"mended/{run}:sum.sh"), "echo $(($1 + $2))")
        self.assertEqual(project.git("-C", "work-remote.git", "log", "-1", "--format=%s", f"mended/{run}"), f"Mend the tests of {broken}")
        self.assertEqual(project.git("-C", "work", "worktree", "list").count("\n"), 0)
        daemon.stop()

    def test_weekly_summary(self):
        project = self.profile("weekly-summary")
        self.repository(project, "work", {"a": "1"})
        model = ScriptedServer()
        self.addCleanup(model.close)
        stream = "".join(f"data: {json.dumps(event)}\n\n" for event in (
            {"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "- a came"}, "finish_reason": None}]},
            {"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        )) + "data: [DONE]\n\n"
        model.answers = [(200, stream.encode(), "Content-Type: text/event-stream")]
        env = {"SUMMARY_REPOSITORY": "work", "SUMMARY_LLM": model.url + "/v1", "SUMMARY_MODEL": "m"}
        project.hark("event", "--type", "manual", "--handler", "summary", env=env)
        self.assertIn("change a", json.dumps(model.requests[0].json()["messages"]))
        self.assertRegex((project.path / "summary.md").read_text(), r"^## Week before \S+\n\n- a came\n\n$")


    def review(self, fails=False):
        project = self.profile("pr-reviewer-daemon")
        base = self.repository(project, "work", {"code": "one\n"})
        project.git("-C", "work", "checkout", "-q", "-b", "change")
        head = self.commit(project, "work", {"code": "two\n"}, push=False)
        project.git("-C", "work", "push", "-q", "origin", "HEAD:refs/pull/7/head")
        project.git("clone", "-q", "work-remote.git", "clone")
        forge = ScriptedServer()
        self.addCleanup(forge.close)
        forge.answers = [(201, {"id": 1, "url": "x"})] + ([] if fails else [(200, []), (201, {"id": 2, "html_url": "https://example.org/c2"})]) + [(201, {"id": 3, "url": "x"})]
        env = {"REVIEW_REPOSITORY": "https://github.com/o/n", "REVIEW_TOKEN": "of-the-forge-4711", "REVIEW_CLONE": "clone", "REVIEW_API": forge.url,
               "REVIEW_AGENT": "false" if fails else "grep -q '^+two' && echo 'two is wrong'"}
        payload = {"action": "opened", "provider": "github", "repository": "o/n", "number": 7, "title": "Change it", "draft": False,
                   "head": {"ref": "change", "sha": head}, "base": {"ref": "main", "sha": base}}
        project.hark("event", "--type", "git_pr", "--payload", json.dumps(payload), env=env, status=1 if fails else 0)
        return forge.requests, head

    def test_pr_reviewer_daemon(self):
        (begun, _, comment, ended), head = self.review()
        for request, state in ((begun, "pending"), (ended, "success")):
            self.assertEqual(request.target, f"POST /repos/o/n/statuses/{head}")
            self.assertEqual((request.json()["state"], request.json()["context"]), (state, "hark/review"))
        self.assertEqual(comment.target, "POST /repos/o/n/issues/7/comments")
        self.assertTrue(comment.json()["body"].startswith("two is wrong"))

    def test_pr_reviewer_daemon_says_when_it_could_not(self):
        (_, ended), head = self.review(fails=True)
        self.assertEqual((ended.target, ended.json()["state"]), (f"POST /repos/o/n/statuses/{head}", "error"))

    def test_docs_updater(self):
        project = self.profile("docs-updater")
        (project.path / "work/docs").mkdir(parents=True)
        self.repository(project, "work", {"code": "one\n", "docs/page": "it says one\n"})
        agent = project.path / "agent.sh"
        # Goes too far at first, commits that, and heeds what it is told.
        agent.write_text("told=$(cat)\ncase \"$told\" in *'only docs may change'*) git reset -q --hard HEAD~1 ;; *) echo more >> code; git commit -qam sneaky ;; esac\n"
                         "case \"$told\" in *'+two'*) echo 'it says two' > docs/page ;; esac\n")
        forge = ScriptedServer()
        self.addCleanup(forge.close)
        forge.answers = [(200, []), (201, {"id": 1, "number": 3, "html_url": "https://example.org/3"})]
        daemon = self.daemon(project, env={"DOCS_REPOSITORY": "work", "DOCS_AGENT": f"sh {agent}", "DOCS_FORGE": "o/n", "DOCS_TOKEN": "of-the-forge-4711", "DOCS_API": forge.url})
        self.commit(project, "work", {"code": "two\n"})
        run = daemon.wait_run("update")["run"]
        self.assertEqual(project.git("-C", "work-remote.git", "show", f"docs/{run}:docs/page"), "it says two")
        self.assertEqual(project.git("-C", "work-remote.git", "diff", "--name-only", "main", f"docs/{run}"), "docs/page")
        self.assertEqual({key: forge.requests[1].json()[key] for key in ("head", "base")}, {"head": f"docs/{run}", "base": "main"})
        daemon.stop()


class All(unittest.TestCase):
    def test_every_profile_is_tried_here(self):
        tried = {name.removeprefix("test_").replace("_", "-") for name in dir(Profiles) if name.startswith("test_")}
        for profile in PROFILES.glob("*.toml"):
            if profile.stem != "quickstart":  # which scripts/quickstart runs
                self.assertIn(profile.stem, tried)


if __name__ == "__main__":
    unittest.main()
