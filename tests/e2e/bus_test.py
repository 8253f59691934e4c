"""The bus of a real daemon: programs that publish, wait, and read along."""

import base64
import contextlib
import http.client
import json
import os
import socket
import subprocess
import threading
import unittest

from support import DEADLINE, HARK, TestCase

CONFIG = """
webhook_port = 0
"""

REVIEWED = """
webhook_port = 0
[[sources]]
name = "finished"
type = "topic"
topic = "implementation"
events = ["implementation_*"]
handler = "review"
[handlers.review]
steps = [
  { name = "look", run = ["HARK", "publish", "review_complete", "--topic", "testing", "--data", "{\\"ok\\": true}", "--config", "hark.toml"] },
]
""".replace("HARK", HARK)


class Events:
    """Server-sent events, read as the WHATWG says, by somebody else's HTTP client."""

    def __init__(self, port, query="", headers=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        self.connection.request("GET", "/api/stream" + query, headers={"Accept": "text/event-stream", **(headers or {})})
        self.response = self.connection.getresponse()
        self.last_id = None

    def next(self, kind=None):
        event = {"event": "message", "data": []}
        while True:
            line = self.response.readline().decode()
            if not line:
                raise EOFError
            line = line.rstrip("\n")
            if not line:
                if event["data"]:
                    found = event["event"], json.loads("\n".join(event["data"]))
                    if kind in (None, found[0]):
                        return found
                event = {"event": "message", "data": []}
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                event["data"].append(value)
            elif name == "event":
                event["event"] = value
            elif name == "id":
                self.last_id = value

    def close(self):
        self.response.close()
        self.connection.close()


class Socket:
    """A WebSocket by hand (RFC 6455)."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET /api/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.status = self.file.readline().decode()
        while self.file.readline() != b"\r\n":
            pass

    def send(self, message):
        data = json.dumps(message).encode() if not isinstance(message, bytes) else message
        mask = os.urandom(4)
        length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + len(data).to_bytes(2, "big")
        self.socket.sendall(b"\x81" + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

    def next(self):
        head = self.file.read(2)
        length = head[1] & 127
        if length == 126:
            length = int.from_bytes(self.file.read(2), "big")
        elif length == 127:
            length = int.from_bytes(self.file.read(8), "big")
        data = self.file.read(length)
        if head[0] & 15 == 8:
            return "closed", int.from_bytes(data[:2], "big")
        return json.loads(data)

    def ask(self, message):
        self.send(message)
        return self.next()

    def close(self):
        self.file.close()
        self.socket.close()


class Bus(TestCase):
    def begun(self, config=CONFIG):
        self.box = self.project(config)
        self.server = self.daemon(self.box)
        self.port = self.server.port
        return self.server

    def call(self, method, path, body=None, headers=None, status=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request(method, path, body if body is None or isinstance(body, (str, bytes)) else json.dumps(body), headers or {})
            response = connection.getresponse()
            text = response.read()
            if status is not None:
                self.assertEqual(response.status, status, text)
            return json.loads(text)

    def publish(self, kind, body=None, **headers):
        return self.call("POST", f"/api/events/{kind}", body or {}, headers, status=202)

    def again(self):
        """As after a power cut, but for the disk."""
        self.server.kill()
        self.server = self.daemon(self.box)
        self.port = self.server.port

    def test_what_is_published_is_kept_and_given_to_who_waits(self):
        self.begun()
        begun = self.call("GET", "/api/events/wait/done?timeout=0")
        self.assertEqual(begun, {"timeout": True, "cursor": 0})
        sent = self.publish("done", {"publisher": "alice", "topic": "testing", "data": {"n": 1}, "priority": 3, "ttl_seconds": 600, "correlation_id": "story", "subject": "it"})
        self.publish("other")
        got = self.call("GET", f"/api/events/wait/done?after={begun['cursor']}")
        event = got["events"][0]
        self.assertEqual([event[key] for key in ("id", "type", "source", "topic", "data", "priority", "ttl", "correlation_id", "subject", "sequence")],
                         [sent["event_id"], "done", "publishers/alice", "testing", {"n": 1}, 3, 600, "story", "it", 1])
        self.assertEqual(got["cursor"], 2)
        self.assertEqual(self.call("GET", "/api/events/" + sent["event_id"])["id"], sent["event_id"])

    def test_a_waiter_is_answered_when_it_comes(self):
        self.begun()
        answers = []
        waiter = threading.Thread(target=lambda: answers.append(self.call("GET", "/api/events/wait/build_*,test_done?timeout=60000&topic=deploy*&filter=payload.n:%3E5")))
        waiter.start()
        while self.server.status()["bus"]["readers"] != 1:
            pass
        self.publish("build_done", {"topic": "deployment", "data": {"n": 5}})
        self.publish("build_done", {"topic": "testing", "data": {"n": 7}})
        self.publish("build_done", {"topic": "deployment", "data": {"n": 7}})
        waiter.join(DEADLINE)
        self.assertEqual([event["data"]["n"] for event in answers[0]["events"]], [7])
        self.assertEqual(self.server.status()["bus"]["readers"], 0)

    def test_a_key_makes_what_is_sent_twice_one_event(self):
        self.begun()
        first = self.publish("paid", {"publisher": "shop"}, **{"Idempotency-Key": "order-7"})
        self.again()
        second = self.publish("paid", {"publisher": "shop"}, **{"Idempotency-Key": "order-7"})
        other = self.publish("paid", {"publisher": "another"}, **{"Idempotency-Key": "order-7"})
        self.assertEqual(second["event_id"], first["event_id"])
        self.assertTrue(second["duplicate"])
        self.assertNotEqual(other["event_id"], first["event_id"])

    def test_cloud_events_in_all_three_forms(self):
        self.begun()
        event = {"specversion": "1.0", "id": "1", "source": "/ci", "type": "build.done", "topic": "testing", "correlationid": "story", "data": {"n": 1}}
        structured = {"Content-Type": "application/cloudevents+json"}
        first = self.call("POST", "/api/events", event, structured, status=202)
        self.assertTrue(self.call("POST", "/api/events", event, structured, status=202)["duplicate"])
        binary = {"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "2", "ce-source": "/ci", "ce-type": "build.done", "ce-topic": "testing"}
        self.call("POST", "/api/events", {"n": 2}, binary, status=202)
        batch = self.call("POST", "/api/events", [{**event, "id": str(n)} for n in (1, 3, 4)], {"Content-Type": "application/cloudevents-batch+json"}, status=202)
        self.assertEqual(batch["event_ids"][0], first["event_id"])
        kept = self.call("GET", "/api/events?filter=source:publishers/ci|source:%22publishers//ci%22")["events"]
        self.assertEqual([each["context"]["id"] for each in kept], ["4", "3", "2", "1"])
        self.assertEqual({each["topic"] for each in kept}, {"testing"})
        self.assertEqual(self.call("POST", "/api/events", [{**event, "id": "5"}, {**event, "id": "6", "topic": "a b"}], {"Content-Type": "application/cloudevents-batch+json"}, status=400)["detail"][:13], "CloudEvent 2:")
        self.call("POST", "/api/events", {"event_type": "x"}, {"Content-Type": "application/json"}, status=415)

    def test_what_is_wrong_is_said(self):
        self.begun()
        for body, words in [
            ({"topci": "x"}, "did you mean 'topic'"), ({"topic": "a b"}, "a topic is letters"), ({"topic": 7}, "`topic` is to be a text"), ({"ttl_seconds": 0}, "from 1 to"),
            ({"priority": 1.5}, "whole number"), ({"event_type": "other"}, "the address says 'x'"), ([], "is an object"), ("{\"topic\":\"a\",\"topic\":\"b\"}", "topic"), ("{", ""),
            ({"publisher": "a\nb"}, "a publisher's name"), ({"ttl_seconds": 2**63}, "from 1 to"), ({"correlation_id": "x" * 2000}, "at most 1024"),
        ]:
            with self.subTest(body=body):
                self.assertIn(words, self.call("POST", "/api/events/x", body, status=400)["detail"])
        for path in ["wait/x?timeout=soon", "wait/x?after=-1", "wait/x?filter=a:(", "wait/x?subscriber=a%20b", "wait/%5B"]:
            with self.subTest(path=path):
                self.call("GET", "/api/events/" + path, status=400)
        self.assertIn("another journal", self.call("GET", "/api/events/wait/x?after=99", status=409)["detail"])
        self.call("GET", "/api/sessions/nothing-there", status=404)
        self.assertEqual(self.call("GET", "/api/events")["events"], [])

    def test_a_named_reader_misses_nothing_between_two_polls_and_over_restarts(self):
        self.begun()
        self.publish("job", {"data": 0})
        self.assertTrue(self.call("GET", "/api/events/wait/job?subscriber=worker&timeout=0")["timeout"])
        for n in range(1, 4):
            self.publish("job", {"data": n})
        self.again()
        got = self.call("GET", "/api/events/wait/job?subscriber=worker&limit=2")
        self.assertEqual([event["data"] for event in got["events"]], [1, 2])
        self.again()
        got = self.call("GET", "/api/events/wait/job?subscriber=worker&limit=2")  # not acknowledged: again
        self.assertEqual([event["data"] for event in got["events"]], [1, 2])
        rest = self.call("GET", f"/api/events/wait/job?subscriber=worker&after={got['cursor']}")  # the next poll acknowledges
        self.assertEqual([event["data"] for event in rest["events"]], [3])
        self.assertEqual(self.call("POST", f"/api/subscribers/worker/ack?cursor={rest['cursor']}", status=200)["position"], rest["cursor"])
        self.again()
        self.assertTrue(self.call("GET", "/api/events/wait/job?subscriber=worker&timeout=0")["timeout"])
        self.assertEqual([each["name"] for each in self.call("GET", "/api/subscribers")["subscribers"]], ["worker"])
        self.call("POST", "/api/subscribers/worker/ack?cursor=99", status=409)
        self.call("DELETE", "/api/subscribers/worker", status=200)
        self.call("POST", "/api/subscribers/worker/ack?cursor=1", status=404)

    def test_a_hundred_rounds_of_review_through_kills(self):
        """Two programs that answer each other, while the daemon is killed under them again and again: none waits for ever, none is told twice."""
        self.begun()
        rounds = 100
        failures = []

        def take_turns(me, other, first):
            try:
                after, key = 0, 0
                while key < rounds:
                    if first or key > 0:
                        self.persist("POST", f"/api/events/{me}_said", {"publisher": me, "data": {"round": key}}, {"Idempotency-Key": f"{me}-{key}"})
                    got = self.persist("GET", f"/api/events/wait/{other}_said?after={after}&limit=1&timeout=5000")
                    if "events" not in got:
                        continue
                    after = got["cursor"]
                    if got["events"][0]["data"]["round"] != key:
                        raise AssertionError(f"{me}, round {key}: {got}")
                    if not first:
                        self.persist("POST", f"/api/events/{me}_said", {"publisher": me, "data": {"round": key}}, {"Idempotency-Key": f"{me}-{key}"})
                    key += 1
            except Exception as failure:  # pylint: disable=broad-except
                failures.append(failure)

        agents = [threading.Thread(target=take_turns, args=each) for each in [("author", "reviewer", True), ("reviewer", "author", False)]]
        for agent in agents:
            agent.start()
        kills = 0
        while any(agent.is_alive() for agent in agents):
            before = self.server.status()["bus"]["position"]
            while any(agent.is_alive() for agent in agents) and self.server.status()["bus"]["position"] < before + 20:
                pass
            if any(agent.is_alive() for agent in agents):
                self.again()
                kills += 1
        self.assertEqual(failures, [])
        self.assertGreater(kills, 3)
        self.assertEqual(len([event for event in self.box.events() if event["type"].endswith("_said")]), 2 * rounds)

    def persist(self, method, path, body=None, headers=None):
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
                got = self.call(method, path, body, headers)
                if "status" not in got:
                    return got

    def test_a_stream_goes_on_where_it_was(self):
        self.begun()
        self.publish("a", {"data": {"text": "line\nline"}})
        stream = Events(self.port, "?types=a,b&after=0")
        self.assertEqual(stream.response.getheader("Content-Type"), "text/event-stream")
        kind, event = stream.next()
        self.assertEqual((kind, event["data"], stream.last_id), ("a", {"text": "line\nline"}, "1"))
        self.call("POST", "/api/events/b", '{"data": {\n "pretty": [1,\r\n 2]}}', status=202)
        self.publish("c")
        self.assertEqual(stream.next()[1]["data"], {"pretty": [1, 2]})
        stream.close()
        self.publish("b", {"data": "meanwhile"})
        self.again()
        stream = Events(self.port, "?types=a,b", {"Last-Event-ID": "2"})
        self.assertEqual(stream.next()[1]["data"], "meanwhile")
        unnamed = Events(self.port, "?types=b&after=3&names=false")
        self.assertEqual(unnamed.next()[0], "message")
        for each in (stream, unnamed):
            each.close()
        bad = Events(self.port, headers={"Last-Event-ID": "x"})
        self.assertEqual(bad.response.status, 400)
        bad.close()

    def test_a_stream_tells_of_runs_by_the_names_of_what_happens(self):
        self.begun(REVIEWED)
        stream = Events(self.port)
        self.publish("implementation_done", {"topic": "implementation"})
        seen = []
        while "run:complete" not in seen:
            seen.append(stream.next()[0])
        for name in ("implementation_done", "event:received", "run:started", "phase:complete", "review_complete"):
            self.assertIn(name, seen)
        stream.close()

    def test_streams_end_with_the_daemon(self):
        self.begun()
        stream = Events(self.port)
        web = Socket(self.port)
        self.assertEqual(web.ask({"op": "subscribe", "id": "s"})["op"], "subscribed")
        self.assertEqual(self.server.stop(), 0)
        with self.assertRaises(EOFError):
            while True:
                stream.next()
        message = web.next()
        while message[0] != "closed" if isinstance(message, tuple) else True:
            message = web.next()
        self.assertEqual(message, ("closed", 1001))
        stream.close()
        web.close()

    def test_a_socket_subscribes_publishes_and_acknowledges(self):
        self.begun()
        web = Socket(self.port)
        self.assertIn("101", web.status)
        self.assertEqual(web.ask({"op": "subscribe", "id": "s", "types": ["job"], "subscriber": "w"}), {"op": "subscribed", "id": "s", "cursor": 0})
        web.send({"op": "publish", "id": "p", "event": {"event_type": "job", "publisher": "me", "data": 7}, "key": "k"})
        got = sorted([web.next(), web.next()], key=lambda each: each["op"])
        self.assertEqual([each["op"] for each in got], ["event", "published"])
        self.assertEqual((got[0]["id"], got[0]["cursor"], got[0]["event"]["data"], got[1]["sequence"]), ("s", 1, 7, 1))
        self.assertEqual(web.ask({"op": "ack", "id": "a", "subscriber": "w", "cursor": 1}), {"op": "acknowledged", "id": "a", "position": 1})
        self.assertTrue(web.ask({"op": "publish", "event": {"event_type": "job", "publisher": "me"}, "key": "k"})["duplicate"])
        self.assertEqual(web.ask({"op": "unsubscribe", "id": "s"}), {"op": "unsubscribed", "id": "s"})
        for message, status in [({"op": "dance"}, 400), (b"{", 400), ([], 400), ({"op": "subscribe", "types": 7}, 400), ({"op": "subscribe", "topcs": "x"}, 400), ({"op": "ack", "subscriber": "w", "cursor": 1, "types": []}, 400), ({"op": "subscribe", "filter": "a:("}, 400), ({"op": "subscribe", "after": 99}, 409),
                                ({"op": "publish"}, 400), ({"op": "publish", "event": {"topic": "x"}}, 400), ({"op": "ack", "subscriber": "nobody", "cursor": 1}, 404), ({"op": "unsubscribe", "id": "s"}, 404)]:
            with self.subTest(message=message):
                self.assertEqual(web.ask(message)["status"], status)
        web.close()

    def test_a_slow_reader_holds_nobody_up_and_gets_all(self):
        self.begun()
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", self.port))
        slow.sendall(f"GET /api/stream?types=big HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
        file = slow.makefile("rb")
        while b"id: 0" not in file.readline():
            pass
        fast = Events(self.port, "?types=big")
        text = "x" * 200_000
        for n in range(40):  # more than any buffer between them takes
            self.publish("big", {"data": {"n": n, "text": text}})
        self.assertEqual([fast.next()[1]["data"]["n"] for _ in range(40)], list(range(40)))
        seen = []
        while len(seen) < 40:
            line = file.readline()
            if line.startswith(b"data: "):
                seen.append(json.loads(line[6:])["data"]["n"])
        self.assertEqual(seen, list(range(40)))
        fast.close()
        file.close()
        slow.close()

    def test_what_a_run_publishes_is_of_its_session(self):
        self.begun(REVIEWED)
        waiting = subprocess.Popen([HARK, "wait", "review_complete", "--config", self.box.config, "--after", "0"], stdout=subprocess.PIPE, text=True, cwd=self.box.path, env=self.box.environment())
        sent = self.publish("implementation_done", {"topic": "implementation", "data": {"branch": "x"}})
        event = json.loads(waiting.communicate(timeout=DEADLINE)[0])
        self.assertEqual(waiting.returncode, 0)
        self.assertEqual((event["correlation_id"], event["data"]), (sent["event_id"], {"ok": True}))
        self.server.wait_run("review")
        shown = json.loads(self.box.hark("session", event["id"], "--json").stdout)
        run = shown["events"][0]["runs"][0]
        self.assertEqual((shown["correlation_id"], run["handler"], run["events"][0]["type"], run["events"][0]["causation_id"]), (sent["event_id"], "review", "review_complete", run["id"]))
        self.assertEqual(self.call("GET", "/api/sessions/" + run["id"], status=200)["correlation_id"], sent["event_id"])
        self.assertIn(run["id"], self.box.hark("session", sent["event_id"]).stdout)
        lines = self.box.on_terminal(80, "session", sent["event_id"][:16])
        rows = [line.split(None, 1)[1].split()[0] for line in lines[2:]]
        self.assertEqual(rows, ["implementation_done", "review", "look", "review_complete"], lines)
        self.assertEqual([line.index(word) - lines[2].index("implementation_done") for line, word in zip(lines[2:], rows)], [0, 2, 4, 4], lines)

    def test_commands_publish_and_wait(self):
        self.begun()
        (self.box.path / "data.json").write_text('{"from": "a file"}')
        for argument, stdin, data in [('{"n": 1}', None, {"n": 1}), ("@data.json", None, {"from": "a file"}), ("-", "[1, 2]", [1, 2])]:
            self.box.hark("publish", "x", "--topic", "t", "--data", argument, "--ttl", "1h", "--priority", "-2", "--publisher", "p", stdin=stdin)
            event = self.box.events()[0]
            self.assertEqual((event["data"], event["ttl"], event["priority"], event["source"], event["topic"]), (data, 3600, -2, "publishers/p", "t"))
        got = self.box.hark("wait", "x", "--after", "0", "-n", "3", "--topic", "t", "--filter", "event.topic:t").stdout.splitlines()
        self.assertEqual([json.loads(line)["sequence"] for line in got], [1, 2, 3])
        self.box.hark("wait", "x", "--subscriber", "me", "--timeout", "0s", status=1)
        self.box.hark("publish", "x", "--data", "4")
        self.box.hark("publish", "x", "--data", "5")
        self.assertEqual(json.loads(self.box.hark("wait", "x", "--subscriber", "me").stdout)["data"], 4)
        self.assertEqual(json.loads(self.box.hark("wait", "x", "--subscriber", "me").stdout)["data"], 5)
        self.assertIn("no such event within 1ms", self.box.hark("wait", "never", "--timeout", "1ms", status=1).stderr)
        self.assertIn("no duration", self.box.hark("wait", "x", "--timeout", "soon", status=2).stderr)
        self.assertIn("a topic is", self.box.hark("publish", "x", "--topic", "a b", status=1).stderr)
        self.server.stop()
        self.box.hark("publish", "x", status=69)
        self.box.hark("wait", "x", status=69)

    def test_who_waits_at_the_command_line_outlives_the_daemon(self):
        self.begun()
        waiting = subprocess.Popen([HARK, "wait", "late", "--config", self.box.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.box.path, env=self.box.environment())
        while self.server.status()["bus"]["readers"] != 1:
            pass
        self.again()
        self.publish("late", {"data": "here"})
        self.assertEqual(json.loads(waiting.stdout.readline())["data"], "here")
        waiting.communicate(timeout=DEADLINE)
        self.assertEqual(waiting.returncode, 0)

    def test_secrets_are_in_no_stream(self):
        self.box = self.project('secrets = ["HARK_E2E_SECRET"]\n' + CONFIG)
        self.server = self.daemon(self.box, env={"HARK_E2E_SECRET": "t0p-secret-value"})
        self.port = self.server.port
        stream = Events(self.port, "?types=x&after=0")
        web = Socket(self.port)
        web.ask({"op": "subscribe", "types": "x"})
        self.publish("x", {"data": {"text": "it is t0p-secret-value!"}})
        shown = [stream.next()[1], web.next()["event"], self.call("GET", "/api/events/wait/x?after=0")["events"][0], self.call("GET", "/api/events")["events"][0]]
        for event in shown:
            self.assertNotIn("t0p-secret-value", json.dumps(event))
            self.assertIn("it is ", event["data"]["text"])
        stream.close()
        web.close()


if __name__ == "__main__":
    unittest.main()
