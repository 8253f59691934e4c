"""Who may call the API: a real daemon, tokens made by hark and by PyJWT, each judged by the other."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import socket
import subprocess
import time
import unittest

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from support import DEADLINE, TestCase

SECRET = "0123456789abcdef0123456789abcdef"

CONFIG = f"""
webhook_port = 0
[api]
key = "{SECRET}"
require_token = true
[subscriptions]
reviewer = ["review*"]
[signals]
session_pause = "pause"
emergency_stop = "halt"
[[sources]]
name = "by-hand"
type = "manual"
handler = "work"
[handlers.work]
run = ["true"]
"""


def pem(key, private=False):
    if private:
        return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


class Tokens(TestCase):
    def begin(self, config=CONFIG):
        self.box = self.project(config)
        self.server = self.daemon(self.box)
        return self.server

    def token(self, *scopes, subject="ci", **more):
        return jwt.encode({"sub": subject, "exp": int(time.time()) + 60, "scope": " ".join(scopes), **more}, SECRET, "HS256")

    def call(self, method, path, token=None, body=None, status=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request(method, path, body if body is None else json.dumps(body), {**({"Authorization": "Bearer " + token} if token else {}), **(headers or {})})
            response = connection.getresponse()
            text = response.read()
            if status is not None:
                self.assertEqual(response.status, status, (path, text))
            return json.loads(text) if text[:1] in (b"{", b"[") else text.decode(), response

    def publish(self, type_, token, status=202, **body):
        return self.call("POST", f"/api/events/{type_}", token, body, status)

    def test_without_a_token_nothing_but_health_is_told(self):
        self.begin()
        for method, path in (("GET", "/api/status"), ("GET", "/api/events"), ("GET", "/api/events/wait/a?timeout=0"), ("GET", "/api/stream"), ("GET", "/metrics"),
                             ("POST", "/api/events/a"), ("POST", "/api/control/drain"), ("GET", "/api/subscribers"), ("GET", "/api/runs")):
            answer, response = self.call(method, path, status=401)
            self.assertEqual(response.getheader("WWW-Authenticate"), 'Bearer realm="hark"')
            self.assertEqual(response.getheader("Content-Type"), "application/problem+json")
            self.assertEqual(answer["status"], 401)
        self.call("GET", "/healthz", status=200)
        self.call("GET", "/readyz", status=200)
        self.assertEqual(self.box.hark("daemon", "status").returncode, 0)  # the control socket is its owner's

    def test_what_is_wrong_with_a_token_is_told(self):
        self.begin()
        now = int(time.time())
        for claims, key, algorithm, why in (({"exp": now - 60}, SECRET, "HS256", "expired"), ({"nbf": now + 3600}, SECRET, "HS256", "not valid yet"), ({"aud": "x"}, SECRET, "HS256", "audience"),
                                            ({}, "x" * 32, "HS256", "none of the keys"), ({}, SECRET, "HS512", "no key for its `alg`"), ({}, None, "none", "no key for its `alg`")):
            token = jwt.encode({"sub": "ci", "exp": now + 60, "scope": "control", **claims}, key, algorithm)
            answer, response = self.call("GET", "/api/status", token, status=401)
            self.assertIn(why, answer["detail"])
            self.assertIn('error="invalid_token"', response.getheader("WWW-Authenticate"))
            self.assertNotIn(token.split(".")[1], str(answer))

    def test_each_route_wants_its_scope(self):
        self.begin()
        every = ("runs:read", "runs:write", "control", "events:read", "events:publish")
        for method, path, scope in (("GET", "/api/status", "runs:read"), ("GET", "/api/runs", "runs:read"), ("GET", "/api/dead-letters", "runs:read"), ("GET", "/metrics", "runs:read"),
                                    ("POST", "/api/handlers/work/trigger", "runs:write"), ("POST", "/api/runs/x/cancel", "runs:write"), ("POST", "/api/control/pause", "control"),
                                    ("POST", "/api/control/resume", "control"), ("POST", "/api/control/emergency-stop", "control"), ("POST", "/api/control/resume", "control"),
                                    ("GET", "/api/events", "events:read"), ("GET", "/api/subscribers", "events:read"), ("POST", "/api/events/a", "events:publish")):
            _, response = self.call(method, path, self.token(*(each for each in every if each != scope)), status=403)
            self.assertEqual(response.getheader("WWW-Authenticate"), f'Bearer realm="hark", error="insufficient_scope", scope="{scope}"')
            _, response = self.call(method, path, self.token(scope))
            self.assertIn(response.status, (200, 202, 404), path)
        self.call("POST", "/api/control/drain", self.token(*every[:2]), status=403)

    def test_topics_are_published_and_read_by_those_whose_they_are(self):
        self.begin()
        deployer = self.token("events:publish:deploy*", subject="deployer")
        first, _ = self.publish("done", deployer, topic="deployment", data=1)
        self.publish("done", deployer, 403, topic="testing")
        self.publish("done", deployer, 403)
        self.publish("done", deployer, 403, topic="deployment", publisher="another")
        self.publish("done", self.token("events:publish", subject="anybody"), topic="review")
        reader = self.token("events:read:deployment", "runs:read", subject="reader")
        told, _ = self.call("GET", "/api/events", reader, status=200)
        self.assertEqual([event["source"] for event in told["events"]], ["publishers/deployer"])
        self.assertEqual(len(self.call("GET", "/api/events/wait/**?after=0&timeout=0", reader, status=200)[0]["events"]), 1)
        self.call("GET", "/api/events/wait/**?after=0&timeout=0&topic=review", reader, status=403)
        self.assertNotIn("events", self.call("GET", "/api/events/wait/**?after=1&timeout=0&topic=rev*", reader, status=200)[0])
        agent = jwt.encode({"sub": "eve", "exp": int(time.time()) + 60, "agent_type": "reviewer"}, SECRET, "HS256")
        self.assertEqual([event["topic"] for event in self.call("GET", "/api/events", agent, status=200)[0]["events"]], ["review"])
        self.call("GET", "/api/events/" + first["event_id"], reader, status=200)
        self.call("GET", "/api/events/" + first["event_id"], agent, status=404)
        self.call("GET", f"/api/events/{first['event_id']}/explain", reader, status=200)
        self.call("GET", f"/api/events/{first['event_id']}/explain", self.token("runs:read"), status=404)
        self.call("GET", "/api/sessions/" + first["event_id"], reader, status=200)
        self.call("GET", "/api/sessions/" + first["event_id"], self.token("runs:read"), status=404)

    def test_cloud_events_are_judged_each(self):
        self.begin()
        batch = [{"specversion": "1.0", "id": str(n), "source": "ci", "type": "t", "topic": topic} for n, topic in enumerate(("a", "b"))]
        kind = {"Content-Type": "application/cloudevents-batch+json"}
        self.call("POST", "/api/events", self.token("events:publish:a"), batch, 403, kind)
        self.call("POST", "/api/events", self.token("events:publish:a", "events:publish:b", subject="x"), batch, 403, kind)
        self.call("POST", "/api/events", self.token("events:publish:a", "events:publish:b"), batch, 202, kind)
        self.assertEqual(len(self.call("GET", "/api/events", self.token("events:read"), status=200)[0]["events"]), 2)

    def test_a_signal_needs_the_right_to_what_it_does(self):
        self.begin()
        for type_, scope in (("session_pause", "runs:write"), ("emergency_stop", "control")):
            self.publish(type_, self.token("events:publish"), 403)
            self.publish(type_, self.token("events:publish", scope), 202)
        self.assertEqual(self.box.hark("daemon", "resume").returncode, 0)

    def test_the_name_of_a_subscriber_is_its_makers_own(self):
        self.begin()
        one, other = self.token("events:read", subject="one"), self.token("events:read", subject="other")
        self.publish("a", self.token("events:publish"))
        self.call("GET", "/api/events/wait/a?subscriber=me&after=0&timeout=0", one, status=200)
        self.call("POST", "/api/subscribers/me/ack?cursor=1", other, status=404)
        self.call("DELETE", "/api/subscribers/me", other, status=404)
        self.assertEqual(self.call("GET", "/api/subscribers", other)[0]["subscribers"], [])
        self.assertEqual([each["name"] for each in self.call("GET", "/api/subscribers", one)[0]["subscribers"]], ["me"])
        self.call("POST", "/api/subscribers/me/ack?cursor=1", one, status=200)

    def test_a_stream_ends_with_its_token_and_tells_of_runs_only_who_may_see_them(self):
        self.begin()
        token = jwt.encode({"sub": "ci", "exp": int(time.time()) + 2, "scope": "events:read:a"}, SECRET, "HS256")
        # The leeway is for clocks that differ; a stream ends when the token says.
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request("GET", "/api/stream?access_token=" + token)
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            publisher = self.token("events:publish", "runs:write")
            self.publish("seen", publisher, topic="a")
            self.publish("unseen", publisher, topic="b")
            self.call("POST", "/api/handlers/work/trigger?wait=true", publisher, status=200)
            text = response.read().decode()  # to its end
        self.assertIn("event: seen\n", text)
        self.assertNotIn("unseen", text)
        self.assertNotIn("run:", text)
        self.call("GET", "/api/events?access_token=" + self.token("events:read"), status=401)

    def test_a_web_socket_is_closed_when_its_token_ends(self):
        self.begin()
        token = jwt.encode({"sub": "ci", "exp": int(time.time()) + 2, "scope": "events:read events:publish:a"}, SECRET, "HS256")
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.server.port), DEADLINE)) as peer:
            peer.sendall(f"GET /api/ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
            file = peer.makefile("rb")
            self.assertIn(b" 101 ", file.readline())
            while file.readline() != b"\r\n":
                pass

            def send(message):
                data = json.dumps(message).encode()
                assert len(data) < 126
                peer.sendall(bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data)

            def receive():
                head = file.read(2)
                length = int.from_bytes(file.read(2), "big") if head[1] == 126 else head[1]
                return head[0] & 15, file.read(length)

            send({"op": "publish", "id": "1", "event": {"event_type": "t", "topic": "b"}})
            kind, text = receive()
            self.assertEqual((kind, json.loads(text)["status"]), (1, 403))
            send({"op": "publish", "id": "2", "event": {"event_type": "t", "topic": "a"}})
            self.assertEqual(json.loads(receive()[1])["op"], "published")
            send({"op": "subscribe", "id": "s", "types": ["never"]})
            self.assertEqual(json.loads(receive()[1])["op"], "subscribed")
            kind, text = receive()
            self.assertEqual((kind, int.from_bytes(text[:2], "big")), (8, 1008))

    def test_the_rate_of_one_is_not_the_rate_of_another(self):
        self.begin(CONFIG.replace("require_token = true", 'require_token = true\nrate_limit = "5/h"\nmax_readers = 1'))
        for _ in range(5):
            self.call("GET", "/api/status", self.token("runs:read"), status=200)
        _, response = self.call("GET", "/api/status", self.token("runs:read"), status=429)
        self.assertGreater(int(response.getheader("Retry-After")), 0)
        self.call("GET", "/api/status", self.token("runs:read", subject="another"), status=200)

    def test_keys_of_others(self):
        rsa_key, ec_key = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
        jwks = {"keys": [{**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key.public_key())), "kid": "r", "use": "sig"}]}
        config = 'webhook_port = 0\n[api]\nkey_file = ["ec.pem", "secret"]\njwks_file = "jwks.json"\nissuer = "joe"\naudience = ["hark"]\nrequire_token = true\n'
        box = self.project(config)
        (box.path / "ec.pem").write_text(pem(ec_key))
        (box.path / "secret").write_text(SECRET + "\n")
        (box.path / "jwks.json").write_text(json.dumps(jwks))
        os.chmod(os.path.join(box.path, "secret"), 0o600)
        self.box, self.server = box, self.daemon(box)
        claims = {"sub": "ci", "exp": int(time.time()) + 60, "scope": "runs:read", "iss": "joe", "aud": ["else", "hark"]}
        for key, algorithm, headers in ((pem(rsa_key, True), "RS256", {"kid": "r"}), (pem(ec_key, True), "ES256", None), (SECRET, "HS256", None)):
            self.call("GET", "/api/status", jwt.encode(claims, key, algorithm, headers=headers), status=200)
        self.call("GET", "/api/status", jwt.encode({**claims, "iss": "eve"}, SECRET, "HS256"), status=401)
        self.call("GET", "/api/status", jwt.encode(claims, pem(rsa_key, True), "RS512"), status=401)
        self.assertNotIn(SECRET, box.hark("config", "show").stdout)
        # A public key is no secret: PyJWT refuses to sign with it, so by hand.

        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        text = part(json.dumps({"alg": "HS256"}).encode()) + b"." + part(json.dumps(claims).encode())
        forged = text + b"." + part(hmac.new(pem(ec_key).encode(), text, hashlib.sha256).digest())
        self.call("GET", "/api/status", forged.decode(), status=401)

    def test_made_by_hark_and_read_by_pyjwt(self):
        box = self.project(CONFIG.replace("require_token = true", 'audience = "hark"\nissuer = "joe"'))
        made = box.hark("token", "create", "--subject", "ci", "--scope", "events:publish:deployment", "runs:read", "--expires", "90s", "--agent-type", "reviewer").stdout.strip()
        said = jwt.decode(made, SECRET, algorithms=["HS256"], audience="hark", issuer="joe")
        self.assertEqual((said["sub"], said["scope"], said["agent_type"], said["exp"] - said["iat"]), ("ci", "events:publish:deployment runs:read", "reviewer", 90))
        shown = box.hark("token", "show", made)
        self.assertEqual(shown.returncode, 0)
        self.assertIn("takes it", shown.stdout)
        refused = box.hark("token", "show", "-", stdin=made[:-2] + "AA\n", status=1)
        self.assertIn("none of the keys has signed it", refused.stdout)
        key = ec.generate_private_key(ec.SECP256R1())
        (box.path / "private.pem").write_text(pem(key, True))
        other = box.hark("token", "create", "--subject", "x", "--scope", "control", "--key-file", "private.pem")
        self.assertIn("will not take it", other.stderr)
        jwt.decode(other.stdout.strip(), pem(key), algorithms=["ES256"], audience="hark")
        for words, status, why in ((["--scope", "runs:red"], 2, "did you mean 'runs:read'"), ([], 2, "allows nothing"), (["--scope", "control", "--expires", "500d"], 2, "366d"),
                                   (["--agent-type", "nobody"], 2, "no agents of type"), (["--scope", "control", "--key-file", "missing"], 78, "no such file")):
            wrong = box.hark("token", "create", "--subject", "x", *words, status=status)
            self.assertIn(why, wrong.stderr)

    def test_who_listens_beyond_this_machine_has_a_key(self):
        for text in ("", "[api]\nenabled = true\n"):
            box = self.project('webhook_host = "0.0.0.0"\nwebhook_port = 0\n' + text)
            refused = box.hark("daemon", status=78)
            self.assertIn("hark.toml:3:16: webhook_host: beyond this machine", refused.stderr)
        self.begin('webhook_host = "0.0.0.0"\nwebhook_port = 0\n[api]\nenabled = false\n')
        self.call("GET", "/api/status", status=403)
        self.call("GET", "/healthz", status=200)
        self.server.kill()
        self.begin(f'webhook_host = "0.0.0.0"\nwebhook_port = 0\n[api]\nkey = "{SECRET}"\n')
        self.call("GET", "/api/status", status=401)
        self.call("GET", "/api/status", self.token("runs:read"), status=200)

    def test_a_reload_takes_another_key(self):
        self.begin()
        before = self.token("runs:read")
        self.call("GET", "/api/status", before, status=200)
        self.box.configure(CONFIG.replace(SECRET, "f" * 32))
        self.assertEqual(self.box.hark("daemon", "reload").returncode, 0)
        self.call("GET", "/api/status", before, status=401)
        self.call("GET", "/api/status", jwt.encode({"sub": "ci", "exp": int(time.time()) + 60, "scope": "runs:read"}, "f" * 32, "HS256"), status=200)


if __name__ == "__main__":
    unittest.main()
