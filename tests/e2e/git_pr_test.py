"""Pull requests: webhooks that the forges sign, a forge that is asked, and both."""

import hashlib
import hmac
import http.server
import json
import threading
import unittest

from support import TestCase

REQUEST = {
    "number": 7, "state": "open", "title": "Count the gulls", "body": "every one", "draft": False, "merged_at": None, "html_url": "https://github.com/harbour/gulls/pull/7",
    "user": {"login": "nele"}, "labels": [], "created_at": "2026-03-01T00:00:05Z", "updated_at": "2026-03-01T00:00:05Z",
    "head": {"ref": "count", "sha": "1" * 40, "repo": {"full_name": "nele/gulls"}}, "base": {"ref": "main", "sha": "2" * 40, "repo": {"full_name": "harbour/gulls"}},
}


class Forge(http.server.BaseHTTPRequestHandler):
    """GitHub's list of pull requests, newest updated first, with its ETag."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        items = [each for each in server.requests if "state=all" in self.path or each["state"] == "open"]
        body = json.dumps(sorted(items, key=lambda each: each["updated_at"], reverse=True)).encode()
        etag = f'W/"{hashlib.sha256(body).hexdigest()}"'
        known = self.headers.get("If-None-Match") == etag
        server.asked.append((self.path, self.headers.get("Authorization"), 304 if known else 200))
        self.send_response(304 if known else 200)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", "0" if known else str(len(body)))
        self.end_headers()
        if not known:
            self.wfile.write(body)
        server.changed.set()

    def log_message(self, *_):
        pass


class PullRequests(TestCase):
    HANDLER = """
handler = "show"
[handlers.show]
run = ["echo", "{payload.action} {event.subject} {payload.head.sha} {payload.title}"]
"""

    def setUp(self):
        super().setUp()
        self.forge = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forge)
        self.forge.requests, self.forge.asked, self.forge.changed = [], [], threading.Event()
        thread = threading.Thread(target=self.forge.serve_forever)
        thread.start()
        self.addCleanup(self.forge.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.forge.shutdown)

    def polling(self):
        return f'repository = "https://github.com/harbour/gulls"\napi = "http://127.0.0.1:{self.forge.server_address[1]}"\ntoken = "t0ken"\ninterval = "1s"\n'

    def until_asked(self, status=200, times=1):
        wanted = len([each for each in self.forge.asked if each[2] == status]) + times
        while len([each for each in self.forge.asked if each[2] == status]) < wanted:
            self.forge.changed.clear()
            self.assertTrue(self.forge.changed.wait(60))

    def shown(self, project, daemon):
        return project.run_output(daemon.wait_run("show")["run"]).strip()

    def test_a_forge_is_asked_with_its_own_words_and_a_change_is_a_run(self):
        project = self.project('[[sources]]\nname = "requests"\ntype = "git_pr"\n' + self.polling() + self.HANDLER)
        daemon = self.daemon(project)
        self.until_asked(304)
        self.assertTrue(all(authorization == "Bearer t0ken" for _, authorization, _ in self.forge.asked))
        self.assertEqual(daemon.status()["sources"][0]["note"], "asked every 1s")
        self.forge.requests.append(dict(REQUEST))
        self.assertEqual(self.shown(project, daemon), f"opened harbour/gulls#7 {'1' * 40} Count the gulls")
        daemon.kill()
        self.forge.requests[0].update(head={**REQUEST["head"], "sha": "3" * 40}, updated_at="2026-03-01T00:00:09Z")
        daemon = self.daemon(project)
        self.assertEqual(self.shown(project, daemon), f"synchronize harbour/gulls#7 {'3' * 40} Count the gulls")
        self.until_asked(304)
        self.assertEqual([event["data"]["action"] for event in project.events()], ["synchronize", "opened"])
        self.assertNotIn("t0ken", daemon.text() + project.hark("config", "show").stdout)

    def test_webhook_and_poll_of_one_change_are_one_run(self):
        project = self.project('webhook_port = 0\n[[sources]]\nname = "requests"\ntype = "git_pr"\npath = "/hooks/github"\nsecret = "s3cret"\nevents = ["opened"]\n' + self.polling() + self.HANDLER)
        daemon = self.daemon(project)
        self.until_asked(304)
        body = json.dumps({"action": "opened", "number": 7, "pull_request": {**REQUEST, "merged": False}, "repository": {"full_name": "harbour/gulls"}, "sender": {"login": "nele"}})
        signature = "sha256=" + hmac.new(b"s3cret", body.encode(), hashlib.sha256).hexdigest()
        post = lambda: daemon.request("POST", "/hooks/github", body, {"Content-Type": "application/json", "X-GitHub-Event": "pull_request", "X-Hub-Signature-256": signature})
        status, _, answer = post()
        self.assertEqual(status, 202, answer)
        self.shown(project, daemon)
        self.forge.requests.append(dict(REQUEST))
        self.until_asked(200)
        self.until_asked(304)
        self.assertEqual(len(project.events()), 1)
        status, _, answer = post()
        self.assertEqual((status, json.loads(answer)), (200, {"unchanged": True}))
        self.forge.requests[0].update(title="Count all", updated_at="2026-03-01T00:00:09Z")  # an action that nobody asked for
        self.until_asked(200)
        self.until_asked(304)
        self.assertEqual(len(project.events()), 1)

    def test_one_that_is_not_signed_is_refused_and_kept(self):
        project = self.project('webhook_port = 0\n[[sources]]\nname = "requests"\ntype = "git_pr"\npath = "/hooks/github"\nsecret = "s3cret"\n' + self.HANDLER)
        daemon = self.daemon(project)
        status, _, _ = daemon.request("POST", "/hooks/github", "{}", {"Content-Type": "application/json", "X-GitHub-Event": "pull_request", "X-Hub-Signature-256": "sha256=" + "0" * 64})
        self.assertEqual(status, 401)
        self.assertIn("signature", project.hark("explain", "--refused").stdout)


if __name__ == "__main__":
    unittest.main()
