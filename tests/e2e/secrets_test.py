"""Secrets that a command, a server or an error repeats: they stand in nothing that hark writes or shows."""

import base64
import json
import unittest

from support import TestCase

TOKEN, HOOK, MARKED, FILED = "tok-8d1f7c", "whsec-aa1b2c3d", "marked-55e0aa", "filed-77bc19"

CONFIG = """
secrets = ["MY_MARKED"]
webhook_port = 0
[[sources]]
name = "in"
type = "webhook"
path = "/in"
secret = "${HOOK_SECRET}"
signature_header = "X-Signature"
handler = "leak"
[[sources]]
name = "other"
type = "webhook"
path = "/other"
secret_file = "secret"
handler = "leak"
[handlers.leak]
environment = { DEPLOY = "${API_TOKEN}" }
pass_environment = ["MY_MARKED"]
steps = [
  { name = "print", run = '''
      echo "token $DEPLOY"; printf "split ${DEPLOY%7c}"; /bin/true; echo 7c
      printf "user:$DEPLOY" | base64; echo "$MY_MARKED" >&2; cat secret''' },
  { name = "big", run = '''head -c 300000 /dev/zero | tr '\\0' x; echo "$DEPLOY"''' },
  { name = "again", run = "echo again {steps.print.output}" },
  { name = "fail", run = "echo cannot log in with $DEPLOY >&2; exit 3" },
]
[[hooks]]
name = "heard"
on = ["run:failed", "phase:complete"]
run = "cat >> heard"
"""


class Secrets(TestCase):
    def leaks(self, text):
        return [secret for secret in (TOKEN, HOOK, MARKED, FILED) if secret in text]

    def environment(self):
        return {"API_TOKEN": TOKEN, "HOOK_SECRET": HOOK, "MY_MARKED": MARKED}

    def made(self, **options):
        project = self.project(CONFIG, log_level="trace", **options)
        (project.path / "secret").write_text(FILED + "\n")
        (project.path / "secret").chmod(0o600)
        return project

    def check_folder(self, project):
        looked_at = 0
        for file in project.path.rglob("*"):
            if not file.is_file() or file.name in ("secret", "hark.toml"):
                continue
            looked_at += 1
            text = file.read_bytes().decode(errors="replace")
            self.assertEqual(self.leaks(text), [], str(file))
            self.assertNotIn(base64.b64encode(f"user:{TOKEN}".encode()).decode(), text, str(file))
        self.assertGreater(looked_at, 2, 'journal, state and an output')

    def test_nothing_that_a_daemon_writes_or_answers_holds_one(self):
        project = self.made()
        daemon = self.daemon(project, env=self.environment())
        self.assertEqual(daemon.post_signed("/in", {"n": 1}, HOOK)[0], 202)
        failed = daemon.wait_run("leak", "failed")
        self.assertIn("cannot log in with ***", failed["message"])
        run = project.runs()[0]
        shown = project.hark("history", run["id"], "--json", env=self.environment()).stdout
        steps = json.loads(shown)["steps"]
        self.assertIn("token ***\nsplit ***\n", steps[0]["output"])
        self.assertIn("***", steps[0]["error_output"])
        self.assertIn("again token ***", steps[2]["output"])
        self.assertIn("cannot log in with ***", steps[3]["error_output"])
        self.assertIn("cannot log in with ***", json.loads(shown)["error"])
        answers = shown + project.hark("history", run["id"], env=self.environment()).stdout + project.hark("history", env=self.environment()).stdout
        for path in ("/api/runs", "/api/runs/" + run["id"], "/api/status", "/api/dead-letters", "/api/events/" + project.events()[0]["id"] + "/explain", "/metrics"):
            answers += daemon.request("GET", path)[2].decode()
        self.assertEqual(self.leaks(answers), [])
        daemon.stop()
        self.assertEqual(self.leaks(daemon.text()), [])
        self.assertIn("***", (project.path / "heard").read_text())
        self.check_folder(project)

    def test_nothing_that_a_single_event_prints_holds_one(self):
        project = self.made()
        for more in ([], ["--json"], ["--dry-run"]):
            done = project.hark("event", "--type", "webhook", "--handler", "leak", "--payload", "{}", *more, status=None, env=self.environment())
            self.assertEqual(self.leaks(done.stdout + done.stderr), [], more)
        self.check_folder(project)

    def test_answers_mask_what_an_event_brought_and_stay_json(self):
        project = self.made()
        daemon = self.daemon(project, env=self.environment())
        _, _, body = daemon.post_signed("/in", {"said": f"it is {TOKEN}", TOKEN: 1}, HOOK)
        daemon.wait_run("leak", "failed")
        answer = daemon.request("GET", "/api/events/" + json.loads(body)["event_id"] + "/explain")[2].decode()
        self.assertEqual(self.leaks(answer), [])
        self.assertEqual(json.loads(answer)["event"]["data"], {"said": "it is ***", "***": 1})
        self.assertEqual(project.events()[0]["data"]["said"], f"it is {TOKEN}")  # a fact, as it was sent

    def test_what_a_reload_brings_is_masked_too(self):
        project = self.project('[handlers.say]\nrun = "cat token"\n', log_level="info")
        (project.path / "token").write_text("brand-new-token\n")
        daemon = self.daemon(project)
        project.hark("daemon", "trigger", "--handler", "say", "--wait")
        self.assertEqual(project.run_output(project.runs()[0]["id"]), "brand-new-token\n")
        project.configure('[providers.one]\ntype = "openai"\nmodel = "m"\napi_key_file = "token"\n[handlers.say]\nrun = "cat token"\n')
        project.hark("daemon", "reload")
        project.hark("daemon", "trigger", "--handler", "say", "--wait")
        self.assertEqual(project.run_output(project.runs()[0]["id"]), "***\n")
        daemon.stop()


if __name__ == "__main__":
    unittest.main()
