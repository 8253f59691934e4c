"""Each kind of source, from the real thing happening to the run that came of it."""

import base64
import contextlib
import hmac
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
import unittest
import warnings

from support import TestCase


class FileChange(TestCase):
    CONFIG = """
[[sources]]
name = "code"
type = "file_change"
path = "./src"
pattern = ["**/*.py", "!skip/**"]
debounce_ms = 100
handler = "show"
[handlers.show]
run = ["printf", "%s|", "{files}"]
"""

    def test_files_of_a_burst_arrive_in_one_run_each_as_one_argument(self):
        os.mkdir(os.path.join(self.folder, "src"))
        project = self.project(self.CONFIG)
        daemon = self.daemon(project)
        os.makedirs(project.path / "src/new/deep")
        names = ["new/deep/a b.py", "new/$(touch pwned).py", "c'd\"e.py"]
        for name in names:
            (project.path / "src" / name).write_text("x")
        (project.path / "src/other.txt").write_text("x")
        run = daemon.wait_run("show")
        seen = set(project.run_output(run["run"]).split("|")) - {""}
        self.assertEqual(seen, {str(project.path / "src" / name) for name in names})
        self.assertFalse((project.path / "pwned").exists())

    def test_names_that_are_no_utf_8_reach_the_command_in_their_own_bytes(self):
        os.mkdir(os.path.join(self.folder, "src"))
        project = self.project(self.CONFIG.replace('"printf", "%s|", "{files}"', '"sh", "-c", "cat \\"$@\\"; xargs -0 cat <$0", "{files_file}", "{files}"'))
        daemon = self.daemon(project)
        source = os.fsencode(project.path / "src")
        for name, text in ((b"\xff.py", "one "), (b"\xfe.py", "two ")):
            with open(os.path.join(source, name), "w") as file:
                file.write(text)
        run = daemon.wait_run("show")
        self.assertEqual(sorted(project.run_output(run["run"]).split()), ["one", "one", "two", "two"])

    def test_a_root_that_lacks_is_degraded_with_a_cure_and_watched_once_it_is_there(self):
        project = self.project(self.CONFIG)
        daemon = self.daemon(project)
        source = daemon.status()["sources"][0]
        self.assertEqual(source["state"], "degraded")
        self.assertIn("src", source["reason"])
        self.assertTrue(source["cure"])
        os.mkdir(project.path / "src")
        daemon.wait_for(lambda line: line.get("name") == "source:started")
        (project.path / "src/a.py").write_text("x")
        daemon.wait_run("show")


class GitPush(TestCase):
    def test_commits_in_a_work_tree_and_pushes_to_a_bare_repository(self):
        project = self.project("""
[[sources]]
name = "tree"
type = "git_push"
repository = "./tree"
branches = ["main", "release/*"]
handler = "show"
[[sources]]
name = "bare"
type = "git_push"
repository = "./bare.git"
handler = "show-bare"
[handlers.show]
run = "echo {payload.branch} {payload.author.name}: {payload.message} {changed_files}"
[handlers.show-bare]
run = "echo {payload.branch} {payload.created} {payload.after}"
""")
        project.git("init", "-q", "-b", "main", "tree")
        project.git("init", "-q", "--bare", "-b", "main", "bare.git")
        daemon = self.daemon(project)
        (project.path / "tree/a.txt").write_text("x")
        project.git("-C", "tree", "add", ".")
        project.git("-C", "tree", "commit", "-q", "-m", "say `hello`; $(touch pwned)")
        run = daemon.wait_run("show")
        self.assertEqual(project.run_output(run["run"]).strip(), "main A U Thor: say `hello`; $(touch pwned) a.txt")
        self.assertFalse((project.path / "pwned").exists())
        project.git("-C", "tree", "push", "-q", "../bare.git", "main")
        run = daemon.wait_run("show-bare")
        self.assertEqual(project.run_output(run["run"]).split(), ["main", "true", project.git("-C", "tree", "rev-parse", "HEAD")])
        project.git("-C", "tree", "checkout", "-q", "-b", "other")
        project.git("-C", "tree", "checkout", "-q", "-b", "release/1.0")
        run = daemon.wait_run("show")
        self.assertEqual(project.run_output(run["run"]).split()[0], "release/1.0")


    def test_what_is_pushed_while_the_daemon_is_away_runs_once_at_its_next_start(self):
        project = self.project("""
[[sources]]
name = "bare"
type = "git_push"
repository = "bare.git"
handler = "show"
[handlers.show]
run = "echo {payload.branch} {payload.before} {payload.after}"
""")
        project.git("init", "-q", "-b", "main", "tree")
        project.git("init", "-q", "--bare", "-b", "main", "bare.git")

        def push():
            project.git("-C", "tree", "commit", "-q", "--allow-empty", "-m", "another")
            project.git("-C", "tree", "push", "-q", "../bare.git", "main")
            return project.git("-C", "tree", "rev-parse", "HEAD")

        commits = [push()]
        daemon = self.daemon(project)
        commits.append(push())
        daemon.wait_run("show")
        daemon.kill()
        commits.append(push())
        again = self.daemon(project)
        run = again.wait_run("show")
        self.assertEqual(project.run_output(run["run"]).split(), ["main", commits[1], commits[2]])
        again.stop()
        self.daemon(project)
        self.assertEqual(len(project.runs()), 2)


class Providers(TestCase):
    def test_what_each_provider_sends_is_believed_as_it_signs_and_nothing_else(self):
        now = str(int(time.time()))
        key = os.urandom(32)
        secrets = {"github": "hub", "gitlab": "lab", "gitea": "tea", "bitbucket": "kept-of-bitbucket-1", "stripe": "whsec_stripe", "slack": "kept-of-slack-1",
                   "standard": "whsec_" + base64.b64encode(key).decode(), "own": "own"}
        mac = lambda secret, message, name="sha256": hmac.new(secret if isinstance(secret, bytes) else secret.encode(), message, name)
        signed = {
            "github": lambda body: {"X-Hub-Signature-256": "sha256=" + mac("hub", body).hexdigest(), "X-GitHub-Event": "push"},
            "gitlab": lambda body: {"X-Gitlab-Token": "lab" if body.endswith(b"}") else "other", "X-Gitlab-Event": "Push Hook"},
            "gitea": lambda body: {"X-Gitea-Signature": mac("tea", body).hexdigest(), "X-Gitea-Event": "push"},
            "bitbucket": lambda body: {"X-Hub-Signature": "sha256=" + mac("kept-of-bitbucket-1", body).hexdigest(), "X-Event-Key": "repo:push"},
            "stripe": lambda body: {"Stripe-Signature": f"t={now},v1=" + mac("whsec_stripe", now.encode() + b"." + body).hexdigest()},
            "slack": lambda body: {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": "v0=" + mac("kept-of-slack-1", b"v0:" + now.encode() + b":" + body).hexdigest()},
            "standard": lambda body: {"webhook-id": "msg_1", "webhook-timestamp": now,
                                      "webhook-signature": "v1," + base64.b64encode(mac(key, b"msg_1." + now.encode() + b"." + body).digest()).decode()},
            "own": lambda body: {"X-Mac": "v1:" + base64.b64encode(mac("own", body, "sha512").digest()).decode()},
        }
        subjects = {"github": "push", "gitlab": "Push Hook", "gitea": "push", "bitbucket": "repo:push", "stripe": "charge.failed", "slack": "charge.failed", "standard": "charge.failed", "own": ""}
        config = "".join(f"""
[[sources]]
name = "{name}"
type = "webhook"
path = "/teams/{{team}}/{name}"
secret = "{secret}"
handler = "tell"
""" + (f'provider = "{name}"\n' if name != "own" else
                'signature_header = "X-Mac"\nsignature_algorithm = "sha512"\nsignature_encoding = "base64"\nsignature_prefix = "v1:"\nheaders = ["X-Region"]\nquery = ["env"]\n')
                         for name, secret in secrets.items())
        p = self.project("webhook_port = 0\n" + config + "[handlers.tell]\nrun = \"printf '%s|' {source} {event.subject} {event.context.path.team} {event.context.headers.X-Region} {event.context.query.env}\"\n")
        d = self.daemon(p)
        for name, sign in signed.items():
            body = json.dumps({"id": "evt_1", "type": "charge.failed"}).encode()
            with self.subTest(name):
                self.assertEqual(d.request("POST", f"/teams/red/{name}", body, sign(body + b" "))[0], 401)
                status, _, answer = d.request("POST", f"/teams/red/{name}?env=$(id)&token=t", body, {**sign(body), "X-Region": "eu"})
                self.assertEqual(status, 202, answer)
                self.assertEqual(p.run_output(d.wait_run("tell")["run"]), f"{name}|{subjects[name]}|red|" + ("eu|$(id)|" if name == "own" else "||"))
        told = {r["source"]: r["reason"] for r in json.loads(p.hark("explain", "--refused", "--json").stdout)["refusals"]}
        self.assertEqual(told, {name: "signature: the secret did not match" for name in secrets})
        event = json.loads(p.hark("history", "--events", "--json").stdout)["events"][0]["event"]
        self.assertEqual(event["context"], {"headers": {"X-Region": "eu"}, "path": {"team": "red"}, "query": {"env": "$(id)"}})


class Tls(TestCase):
    """Python's own TLS as the other side, and certificates of the openssl command."""

    CONFIG = """webhook_port = 0
webhook_tls = { certificate = "cert.pem", key = "key.pem" }
[[sources]]
type = "webhook"
path = "/in"
unsigned = true
max_body = 10000000
handler = "size"
[handlers.size]
run = "wc -c"
"""

    def certificate(self, name="", host="localhost"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + host,
                        "-addext", "subjectAltName=DNS:" + host, "-keyout", self.p.path / f"{name}key.pem", "-out", self.p.path / f"{name}cert.pem"],
                       check=True, capture_output=True)

    def setUp(self):
        super().setUp()
        self.p = self.project(self.CONFIG)
        self.certificate()

    def connect(self, port, **options):
        context = ssl.create_default_context(cafile=self.p.path / "cert.pem")
        for name, value in options.items():
            setattr(context, name, value)
        return http.client.HTTPSConnection("localhost", port, timeout=60, context=context)

    def post(self, port, body, **options):
        connection = self.connect(port, **options)
        with contextlib.closing(connection):
            connection.request("POST", "/in", body, {"Content-Type": "application/json"})
            return connection.getresponse().status

    def test_the_port_speaks_tls_and_nothing_else(self):
        d = self.daemon(self.p)
        port = d.port
        self.assertIn(f"https://127.0.0.1:{port}", self.p.hark("daemon", "status").stdout)
        large = json.dumps({"filler": "x" * 3_000_000})
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for body in ("{}", large):
                self.assertEqual(self.post(port, body, minimum_version=version, maximum_version=version), 202)
        connection = self.connect(port)
        with contextlib.closing(connection):  # several requests, one of them refused, and a large answer that is read late
            connection.request("GET", "/nowhere")
            self.assertEqual(connection.getresponse().read() and 404, 404)
            for _ in range(3):
                connection.request("GET", "/metrics")
                self.assertIn(b"hark_", connection.getresponse().read())
        with self.assertRaises(ssl.SSLError), warnings.catch_warnings(action="ignore"):
            self.post(port, "{}", maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1_1)
        with socket.create_connection(("127.0.0.1", port)) as plain:
            plain.sendall(b"POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            with contextlib.suppress(ConnectionResetError):
                self.assertNotIn(b"HTTP", plain.recv(1000))
        self.assertEqual(self.post(port, "{}"), 202)
        self.assertEqual(len(self.p.runs()), 5)

    def test_a_renewed_certificate_is_shown_after_a_reload_and_a_broken_one_is_refused(self):
        d = self.daemon(self.p)
        port = d.port
        old = ssl.create_default_context(cafile=self.p.path / "cert.pem")
        staying = self.connect(port)
        self.addCleanup(staying.close)
        staying.request("GET", "/healthz")
        staying.getresponse().read()
        self.certificate()
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.post(port, "{}")  # the old one still
        d.process.send_signal(signal.SIGHUP)
        d.wait_for(lambda line: "says what it said before" in line["message"])
        self.assertEqual(self.post(port, "{}"), 202)
        with self.assertRaises(ssl.SSLCertVerificationError), contextlib.closing(http.client.HTTPSConnection("localhost", port, timeout=60, context=old)) as other:
            other.request("GET", "/healthz")
        staying.request("GET", "/healthz")
        self.assertEqual(staying.getresponse().status, 200)
        self.certificate("other")
        os.replace(self.p.path / "otherkey.pem", self.p.path / "key.pem")
        done = self.p.hark("daemon", "reload", status=78)
        self.assertIn("hark.toml:4:31: webhook_tls.certificate: ", done.stderr)
        self.assertIn("key.pem cannot be used as the key of", done.stderr)
        self.assertEqual(self.post(port, "{}"), 202)


class Webhook(TestCase):
    CONFIG = """
webhook_port = 0
[[sources]]
name = "deploy"
type = "webhook"
path = "/hooks/deploy"
secret = ["old", "new"]
max_body = 2000
where = "payload.action:!skip"
handler = "show"
[[sources]]
name = "limited"
type = "webhook"
path = "/hooks/limited"
secret = "new"
rate_limit = "1/d"
handler = "show"
[[sources]]
name = "slow"
type = "webhook"
path = "/hooks/slow"
secret = "new"
handler = "wait"
[[sources]]
name = "forge"
type = "webhook"
provider = "github"
path = "/hooks/github"
secret = "It's a Secret to Everybody"
handler = "show"
[handlers.show]
run = "printf '%s' {payload.text}"
[handlers.wait]
run = "cat go"
""".replace('where = "payload.action:!skip"', 'where = "!payload.action:skip"')

    def setUp(self):
        super().setUp()
        self.p = self.project(self.CONFIG)
        self.d = self.daemon(self.p)

    def test_a_signed_body_is_accepted_run_and_seen_once(self):
        hostile = "'; touch pwned; echo \" $(touch pwned) `touch pwned` \n{payload.text}"
        status, _, body = self.d.post_signed("/hooks/deploy", {"text": hostile}, "new", {"Idempotency-Key": "k1"})
        self.assertEqual(status, 202)
        event = json.loads(body)["event_id"]
        run = self.d.wait_run("show")
        self.assertEqual(run["event"], event)
        self.assertEqual(self.p.run_output(run["run"]), hostile)
        self.assertFalse((self.p.path / "pwned").exists())
        status, _, body = self.d.post_signed("/hooks/deploy", {"text": hostile}, "old", {"Idempotency-Key": "k1"})
        self.assertEqual((status, json.loads(body)["event_id"]), (200, event))
        self.assertEqual(len(self.p.runs()), 1)

    def test_refusals_and_their_words(self):
        good = {"text": "x"}
        refused = [self.d.post_signed("/hooks/deploy", good, "wrong"), self.d.request("POST", "/hooks/deploy", b"{}"),
                   self.d.request("POST", "/hooks/deploy", b"{}", {"X-Signature": "sha1=00"})]
        self.assertEqual({status for status, _, _ in refused}, {401})
        self.assertEqual(len({body for _, _, body in refused}), 1, "a wrong signature gets no hint")
        self.assertEqual(self.d.post_signed("/hooks/none", good, "new")[0], 404)
        status, headers, _ = self.d.request("GET", "/hooks/deploy")
        self.assertEqual((status, headers.get("Allow")), (405, "POST"))
        self.assertEqual(self.d.post_signed("/hooks/deploy", {"text": "x" * 3000}, "new")[0], 413)
        status, headers, body = self.d.post_signed("/hooks/deploy", b"{not json", "new")
        self.assertEqual((status, headers["Content-Type"]), (400, "application/problem+json"))
        self.assertEqual(self.p.runs(), [])

    def refused(self, *arguments):
        return json.loads(self.p.hark("explain", "--refused", "--json", *arguments).stdout)["refusals"]

    def test_what_was_refused_can_be_explained_and_counted(self):
        self.assertEqual(self.refused(), [])
        for _ in range(3):
            self.assertEqual(self.d.request("POST", "/hooks/deploy", b"{}")[0], 401)
        self.assertEqual(self.d.post_signed("/hooks/deploy", {"text": "x"}, "wrong", {"Idempotency-Key": "k1"})[0], 401)
        self.assertEqual(self.d.post_signed("/hooks/deploy", b"{not json", "new")[0], 400)
        self.assertEqual(self.d.post_signed("/hooks/deploy", {"text": "x" * 3000}, "new")[0], 413)
        self.assertEqual(self.d.post_signed("/hooks/deploy", {}, "new", {"Content-Type": "image/png"})[0], 415)
        self.assertEqual(self.d.post_signed("/hooks/limited", {}, "new")[0], 202)
        status, headers, _ = self.d.post_signed("/hooks/limited", {}, "new")
        self.assertEqual(status, 429)
        self.assertGreaterEqual(int(headers["Retry-After"]), 86000)

        refusals = self.refused()
        self.assertEqual([(r["source"], r["cause"], r["count"]) for r in refusals], [
            ("limited", "rate_limit", 1), ("deploy", "type", 1), ("deploy", "size", 1), ("deploy", "body", 1), ("deploy", "signature", 1), ("deploy", "signature", 3)])
        self.assertEqual([r["reason"] for r in refusals[4:]], ["signature: none of 2 secrets matched", "signature: no X-Signature header"])
        self.assertEqual(refusals[0]["reason"], "rate_limit: more than 1/d")
        self.assertEqual(refusals[2]["reason"], "body: 3012 bytes, at most 2000 (max_body)")
        self.assertEqual((refusals[4]["delivery"], refusals[4]["peer"], refusals[4]["stage"]), ("k1", "127.0.0.1", "intake"))
        self.assertLessEqual(refusals[5]["first"], refusals[5]["time"])
        self.assertEqual(self.refused("--source", "limited"), refusals[:1])
        self.assertEqual(self.refused("--limit", "2"), refusals[:2])
        self.assertIn("did you mean 'deploy'", self.p.hark("explain", "--refused", "--source", "depoly", status=1).stderr)
        table = self.p.hark("explain", "--refused", "--source", "deploy").stdout.splitlines()
        self.assertEqual(table[0].split(), ["TIME", "SOURCE", "COUNT", "FROM", "DELIVERY", "REASON"])
        self.assertRegex(table[-1], r"Z  deploy  3 +127\.0\.0\.1 +signature: no X-Signature header$")
        metrics = self.d.request("GET", "/metrics")[2].decode()
        self.assertIn('hark_refused_total{reason="signature",source="deploy"} 4', metrics)
        self.assertIn('hark_refused_total{reason="rate_limit",source="limited"} 1', metrics)
        self.d.wait_for(lambda line: line.get("name") == "event:refused" and line["source"] == "limited")
        said = [line for line in self.d.log if line.get("name") == "event:refused" and line["cause"] == "signature"]
        self.assertEqual(len(said), 1, "one line a minute for a source and cause")
        self.assertEqual(said[0]["message"], "source 'deploy' refused: signature: no X-Signature header")

    def test_what_came_to_no_source_can_be_explained(self):
        self.assertEqual(self.d.post_signed("/hooks/deplyo", {}, "new")[0], 404)
        self.assertEqual(self.d.request("PUT", "/hooks/deploy%E2%80%AE", b"{}")[0], 404)
        self.assertEqual(self.d.request("GET", "/favicon.ico")[0], 404)
        with socket.create_connection(("127.0.0.1", self.d.port)) as client:
            client.sendall(b"POST /hooks/deploy HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n")
            self.assertIn(b" 400 ", client.recv(1000))
        refusals = self.refused()
        self.assertEqual([(r["source"], r["cause"]) for r in refusals], [("", "request"), ("", "path"), ("", "path")])
        self.assertEqual(refusals[2]["reason"], "path: POST /hooks/deplyo: nothing is there")
        self.assertEqual(refusals[1]["reason"], "path: PUT /hooks/deploy\\u202e: nothing is there")
        self.assertTrue(refusals[0]["reason"].startswith("request: "))
        table = self.p.hark("explain", "--refused").stdout.splitlines()
        self.assertRegex(table[-1], r"Z  - +1 .*path: POST /hooks/deplyo: nothing is there$")
        said = self.d.wait_for(lambda line: line.get("name") == "event:refused" and line["cause"] == "request")
        self.assertTrue(said["message"].startswith("refused: request: "))

    def test_a_request_that_came_while_the_daemon_drains_can_be_explained(self):
        os.mkfifo(self.p.path / "go")
        self.d.post_signed("/hooks/slow", {}, "new")
        self.d.wait_for(lambda line: "running 'wait'" in line["message"])
        self.d.process.send_signal(signal.SIGTERM)
        self.d.wait_for(lambda line: "stopping" in line["message"])
        self.assertEqual(self.d.post_signed("/hooks/deploy", {}, "new")[0], 503)
        refusal = self.refused()[0]
        self.assertEqual(refusal["cause"], "unavailable")
        self.assertIn("not taken: ", refusal["reason"])
        (self.p.path / "go").write_text("")
        self.assertEqual(self.d.process.wait(60), 0)

    def test_a_filter_that_does_not_match_can_be_explained(self):
        status, _, body = self.d.post_signed("/hooks/deploy", {"text": "x", "action": "skip"}, "new")
        self.assertEqual(status, 202)
        event = json.loads(body)["event_id"]
        explained = json.loads(self.p.hark("explain", event, "--json").stdout)
        self.assertEqual([d["verdict"] for d in explained["decisions"]], ["dropped"])
        self.assertIn("skip", explained["decisions"][0]["reason"])

    def test_github_deliveries(self):
        body = b"Hello, World!"
        status, _, _ = self.d.request("POST", "/hooks/github", body, {
            "X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", "X-GitHub-Event": "push"})
        self.assertEqual(status, 400, "GitHub's own example: the signature is right, the body no JSON")
        body = b'{"zen":"Keep it logically awesome.","text":"t"}'
        import hashlib
        import hmac
        signature = "sha256=" + hmac.new(b"It's a Secret to Everybody", body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": signature, "Content-Type": "application/json", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}
        self.assertEqual(self.d.request("POST", "/hooks/github", body, {**headers, "X-GitHub-Event": "ping"})[0], 200)
        self.assertEqual(self.d.request("POST", "/hooks/github", body, {**headers, "X-GitHub-Event": "push"})[0], 202)
        self.d.wait_run("show")
        self.assertEqual(self.d.request("POST", "/hooks/github", body, {**headers, "X-GitHub-Event": "push"})[0], 200)
        self.assertEqual(len(self.p.runs()), 1)


class TakenPort(TestCase):
    def test_a_taken_port_degrades_the_webhook_and_harms_nothing_else(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            project = self.project(f"""
webhook_port = {taken.getsockname()[1]}
[[sources]]
name = "hook"
type = "webhook"
path = "/x"
secret = "s"
handler = "h"
[handlers.h]
run = "true"
""")
            daemon = self.daemon(project)
            source = daemon.status()["sources"][0]
            self.assertEqual(source["state"], "degraded")
            self.assertIn("in use", source["reason"])
            project.hark("daemon", "trigger", "--handler", "h", "--wait")
        daemon.wait_for(lambda line: line.get("name") == "source:started")
        self.assertEqual(daemon.post_signed("/x", {}, "s")[0], 202)


class Schedule(TestCase):
    def test_slots_fire_and_last_run_is_known_after_a_restart(self):
        text = """
[[sources]]
name = "tick"
type = "schedule"
cron = "* * * * * *"
handler = "show"
[handlers.show]
run = "echo {last_run}"
"""
        project = self.project(text)
        daemon = self.daemon(project)
        first = daemon.wait_run("show")
        self.assertEqual(project.run_output(first["run"]).strip(), "1970-01-01T00:00:00.000Z")
        daemon.wait_run("show")
        self.assertEqual(daemon.stop(), 0)
        newest = project.runs(handler="show", state="succeeded")[0]
        restarted = self.daemon(project)
        run = restarted.wait_run("show")
        self.assertEqual(project.run_output(run["run"]).strip(), newest["started"])
        slots = [r["event"]["id"] for r in project.runs()]
        self.assertEqual(len(slots), len(set(slots)))


    def test_nothing_starts_before_its_slot(self):
        daemon = self.daemon(self.project("""
[[sources]]
type = "schedule"
cron = "* * * * * *"
handler = "show"
[handlers.show]
run = "date +%s.%N; date -d {payload.slot} +%s"
"""))
        for _ in range(3):
            began, slot = daemon.project.run_output(daemon.wait_run("show")["run"]).split()
            self.assertGreaterEqual(float(began), int(slot))


class OnlySome(TestCase):
    def test_sources_of_the_flag_run_and_a_misspelt_one_is_refused(self):
        project = self.project("""
[[sources]]
name = "one"
type = "schedule"
cron = "@daily"
handler = "h"
[[sources]]
name = "two"
type = "schedule"
cron = "@daily"
handler = "h"
[handlers.h]
run = "true"
""")
        daemon = self.daemon(project, "--sources", "two")
        self.assertEqual([source["name"] for source in daemon.status()["sources"]], ["two"])
        refused = project.hark("daemon", "--sources", "tow", status=2)
        self.assertIn("did you mean 'two'", refused.stderr)


if __name__ == "__main__":
    unittest.main()
