"""Traces, told to a collector that checks what OTLP/HTTP says of its JSON (https://opentelemetry.io/docs/specs/otlp/, opentelemetry-proto's trace.proto)."""

import http.server
import json
import os
import re
import threading
import unittest

from support import TestCase, eventually

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

CONFIG = """webhook_port = 0
[[sources]]
name = "hook"
type = "webhook"
path = "/x"
secret = "s"
where = "payload.n:1"
handler = "work"
[[sources]]
name = "told"
type = "topic"
events = ["told"]
handler = "listen"
[providers.model]
type = "command"
command = "cat"
[handlers.work]
gates = [{ name = "good", run = "true" }]
steps = [
  { name = "one", run = "echo $TRACEPARENT; echo $HARK_RUN_ID" },
  { name = "ask", prompt = "hello", provider = "model" },
  { name = "call", http = { url = "URL/called" } },
  { name = "child", run = ["PROGRAM", "publish", "aside", "--config", "CONFIG"] },
  { name = "tell", publish = "told" },
]
[handlers.listen]
run = "echo $TRACEPARENT"
[handlers.bad]
run = "echo no >&2; exit 3"
retry = { attempts = 2, backoff = "1ms" }
"""


def checked(body):
    """The spans of a request, each {name, attributes, ...}; what is not as documented fails."""
    assert set(body) == {"resourceSpans"}, body
    found = []
    for of_resource in body["resourceSpans"]:
        assert set(of_resource) == {"resource", "scopeSpans"}
        resource = attributes(of_resource["resource"]["attributes"])
        for of_scope in of_resource["scopeSpans"]:
            assert of_scope["scope"]["name"] == "hark" and of_scope["scope"]["version"]
            for span in of_scope["spans"]:
                assert set(span) <= {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes", "status"}, span
                assert re.fullmatch("[0-9a-f]{32}", span["traceId"]) and re.fullmatch("[0-9a-f]{16}", span["spanId"])
                assert re.fullmatch("[0-9a-f]{16}", span.get("parentSpanId", PARENT)) and span["kind"] in (1, 2, 3, 4, 5)
                assert re.fullmatch("[0-9]{19}", span["startTimeUnixNano"]) and re.fullmatch("[0-9]{19}", span["endTimeUnixNano"])  # a text: a double would lose digits
                assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
                if "status" in span:
                    assert span["status"]["code"] == 2 and span["status"]["message"]
                found.append({**span, "attributes": attributes(span["attributes"]), "resource": resource})
    return found


def attributes(listed):
    values = {}
    for one in listed:
        assert set(one) == {"key", "value"} and len(one["value"]) == 1, one
        kind, value = next(iter(one["value"].items()))
        assert kind in ("stringValue", "intValue") and isinstance(value, str), one  # an int64 is a text in Protobuf's JSON
        values[one["key"]] = int(value) if kind == "intValue" else value
    return values


class Collector:
    """`answers` are given first, then 200; what it was told stands in `spans`, by name."""

    def __init__(self):
        self.answers, self.spans, self.requests, self.faults, self.called = [], [], [], [], []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                collector.called.append(self.headers.get("traceparent"))
                self.answer(200, b"ok")

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = collector.answers.pop(0) if collector.answers else (200, b"{}")
                collector.requests.append((self.path, dict(self.headers), status))
                try:
                    assert self.headers["Content-Type"] == "application/json"
                    spans = checked(json.loads(body))
                    if status == 200:
                        collector.spans += spans
                except (AssertionError, ValueError, KeyError) as fault:
                    collector.faults.append(repr(fault))
                self.answer(status, answer)

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()

    def named(self, name):
        return [span for span in self.spans if span["name"] == name]


class Traces(TestCase):
    def setUp(self):
        super().setUp()
        self.collector = Collector()
        self.addCleanup(self.collector.end)
        self.addCleanup(lambda: self.assertEqual(self.collector.faults, []))
        self.box = self.project("")
        self.box.configure(CONFIG.replace("URL", self.collector.url).replace("PROGRAM", os.environ["HARK_BINARY"]).replace("CONFIG", str(self.box.config)))

    def begin(self, **env):
        env.setdefault("OTEL_EXPORTER_OTLP_ENDPOINT", self.collector.url)
        return self.daemon(self.box, env=env)

    def lost(self, daemon):
        found = re.search(r'hark_reports_lost_total{reporter="traces"} (\d+)', daemon.request("GET", "/metrics")[2].decode())
        return int(found[1]) if found else 0

    def of_handler(self, handler, name):
        def found():
            return [span for span in self.collector.spans if span["name"].startswith(name) and span["attributes"].get("hark.handler") == handler]
        eventually(found)
        return found()[0]

    def one(self, name):
        eventually(lambda: self.collector.named(name))
        self.assertEqual(len(self.collector.named(name)), 1, name)
        return self.collector.named(name)[0]

    def test_one_trace_goes_through_hook_command_call_publish_and_the_run_that_follows(self):
        daemon = self.begin(OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test%20bed", OTEL_EXPORTER_OTLP_HEADERS="x-key=a%2Fb, other = c")
        daemon.post_signed("/x", {"n": 1}, "s", {"traceparent": f"00-{TRACE}-{PARENT}-01"})
        daemon.wait_run("listen")
        event, run, iteration = self.one("event webhook"), self.one("run work"), self.of_handler("work", "iteration")
        self.assertEqual(event["parentSpanId"], PARENT)
        self.assertEqual(event["kind"], 5)
        self.assertEqual(run["parentSpanId"], event["spanId"])
        self.assertEqual(iteration["parentSpanId"], run["spanId"])
        steps = {name: self.one("step " + name) for name in ("one", "ask", "call", "child", "tell")}
        for step in (*steps.values(), self.one("gate good")):
            self.assertEqual(step["parentSpanId"], iteration["spanId"])
            self.assertLessEqual(int(run["startTimeUnixNano"]), int(step["startTimeUnixNano"]))
        asked = self.one("ask model")
        self.assertEqual((asked["parentSpanId"], asked["kind"]), (steps["ask"]["spanId"], 3))
        # Who is called is told of the step's span: a command, a server, a program that publishes, the event that is published.
        work = self.box.runs(handler="work")[0]["id"]
        self.assertEqual(self.box.run_output(work).split(), [f"00-{TRACE}-{steps['one']['spanId']}-01", work])
        self.assertEqual(self.collector.called, [f"00-{TRACE}-{steps['call']['spanId']}-01"])
        self.assertEqual(self.one("event aside")["parentSpanId"], steps["child"]["spanId"])
        told = self.one("event told")
        self.assertEqual(told["parentSpanId"], steps["tell"]["spanId"])
        listening = self.one("run listen")
        self.assertEqual(listening["parentSpanId"], told["spanId"])
        self.assertEqual(self.box.run_output(self.box.runs(handler="listen")[0]["id"]).strip(), f"00-{TRACE}-{self.of_handler('listen', 'step ')['spanId']}-01")
        self.assertEqual({span["traceId"] for span in self.collector.spans}, {TRACE})
        ids = [span["spanId"] for span in self.collector.spans]
        self.assertEqual(len(ids), len(set(ids)))
        resource = self.collector.spans[0]["resource"]
        self.assertEqual((resource["service.name"], resource["deployment.environment"]), ("hark", "test bed"))
        self.assertTrue(resource["service.version"])
        path, headers, _ = self.collector.requests[0]
        self.assertEqual((path, headers["x-key"], headers["other"]), ("/v1/traces", "a/b", "c"))
        self.assertEqual((run["attributes"]["hark.run.id"], run["attributes"]["hark.state"], run["attributes"]["hark.run.attempt"]), (work, "succeeded", 1))

    def test_a_run_that_begins_after_a_crash_is_in_the_trace_of_its_event(self):
        daemon = self.begin()
        self.box.hark("daemon", "pause")
        daemon.post_signed("/x", {"n": 1}, "s", {"traceparent": f"00-{TRACE}-{PARENT}-01"})
        event = self.one("event webhook")
        daemon.kill()
        again = self.begin()
        self.box.hark("daemon", "resume")
        again.wait_run("work")
        run = self.one("run work")
        self.assertEqual((run["traceId"], run["parentSpanId"]), (TRACE, event["spanId"]))

    def test_a_cloud_event_s_own_trace_goes_before_the_request_s(self):
        daemon = self.begin()
        others = {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"}
        batch = [{"specversion": "1.0", "id": "1", "type": "mine", "source": "/a", "traceparent": f"00-{TRACE}-{PARENT}-01"},
                 {"specversion": "1.0", "id": "2", "type": "bad", "source": "/a", "traceparent": "$(reboot)"}, {"specversion": "1.0", "id": "3", "type": "none", "source": "/a"}]
        self.assertEqual(daemon.request("POST", "/api/events", json.dumps(batch), {"Content-Type": "application/cloudevents-batch+json", **others})[0], 202)
        mine = self.one("event mine")
        self.assertEqual((mine["traceId"], mine["parentSpanId"]), (TRACE, PARENT))
        for other in ("event bad", "event none"):
            self.assertEqual((self.one(other)["traceId"], self.one(other)["parentSpanId"]), ("a" * 32, "b" * 16))

    def test_what_fails_says_why_each_attempt_by_itself_and_what_does_not_run_too(self):
        daemon = self.begin()
        self.box.hark("daemon", "trigger", "--handler", "bad", "--wait", status=None)
        daemon.post_signed("/x", {"n": 2}, "s")
        eventually(lambda: len(self.collector.named("run bad")) == 2 and self.collector.named("stopped at filter"))
        first, second = sorted(self.collector.named("run bad"), key=lambda span: span["attributes"]["hark.run.attempt"])
        self.assertEqual([one["attributes"]["hark.run.attempt"] for one in (first, second)], [1, 2])
        self.assertEqual(first["parentSpanId"], second["parentSpanId"])
        self.assertNotEqual(first["spanId"], second["spanId"])
        for one in (first, second):
            self.assertIn("exit status 3", one["status"]["message"])
        # What its sender says nothing of is one trace a story.
        self.assertEqual(first["traceId"], second["traceId"])
        stopped = self.one("stopped at filter")
        self.assertNotEqual(stopped["traceId"], first["traceId"])
        self.assertIn("payload.n", stopped["attributes"]["hark.reason"])

    def test_a_sender_who_wants_no_record_gets_none_and_others_are_told(self):
        daemon = self.begin()
        daemon.post_signed("/x", {"n": 1}, "s", {"traceparent": f"00-{TRACE}-{PARENT}-00"})
        daemon.wait_run("listen")
        daemon.post_signed("/x", {"n": 3}, "s")
        eventually(lambda: self.collector.named("stopped at filter"))
        self.assertEqual([span["name"] for span in self.collector.spans if span["traceId"] == TRACE], [])
        self.assertTrue(self.collector.called[0].startswith(f"00-{TRACE}-") and self.collector.called[0].endswith("-00"))

    def test_without_a_collector_the_sender_s_own_span_is_handed_on(self):
        for env in ({}, {"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}):
            with self.subTest(env):
                daemon = self.begin(**{"OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.url if env else "", **env})
                daemon.post_signed("/x", {"n": 1}, "s", {"traceparent": f"00-{TRACE}-{PARENT}-01"})
                daemon.wait_run("listen")
                self.assertEqual(set(self.collector.called), {f"00-{TRACE}-{PARENT}-01"})
                self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.collector.requests, [])

    def test_a_collector_that_is_busy_is_asked_again_and_one_that_refuses_is_told_of_in_the_metrics(self):
        self.collector.answers = [(503, b""), (429, b"")]
        daemon = self.begin()
        self.box.hark("daemon", "trigger", "--handler", "listen", "--wait")
        self.one("run listen")
        self.assertEqual([status for _, _, status in self.collector.requests[:3]], [503, 429, 200])
        self.assertEqual(self.lost(daemon), 0)
        self.collector.answers = [(400, b"")]
        self.box.hark("daemon", "trigger", "--handler", "listen", "--wait")
        said = daemon.wait_for(lambda line: "traces are not taken" in line["message"], seen_too=True)
        self.assertIn("400", said["message"])
        eventually(lambda: self.lost(daemon) > 0)
        # It takes some again, but not all of them.
        before = self.lost(daemon)
        self.collector.answers = [(200, b'{"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}')]
        self.box.hark("daemon", "trigger", "--handler", "listen", "--wait")
        eventually(lambda: self.lost(daemon) == before + 2)

    def test_nobody_there_holds_up_nothing_and_the_end_is_no_later(self):
        daemon = self.begin(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
        for _ in range(20):
            self.box.hark("daemon", "trigger", "--handler", "listen", "--wait")
        self.assertEqual(len(self.box.runs(handler="listen", state="succeeded")), 20)
        self.assertEqual(daemon.stop(), 0)

    def test_what_waits_at_the_end_is_sent(self):
        daemon = self.begin()
        self.box.hark("daemon", "trigger", "--handler", "listen", "--wait")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(len(self.collector.named("run listen")), 1)

    def test_what_the_variables_say_wrong_is_told(self):
        for env, said in (({"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4317"}, "no traces are sent: OTEL_EXPORTER_OTLP_ENDPOINT is 'localhost:4317'"),
                          ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc', and hark speaks http/json"),
                          ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "OTEL_EXPORTER_OTLP_TIMEOUT is 'soon'")):
            with self.subTest(env):
                daemon = self.begin(**env)
                self.assertTrue([line for line in daemon.log if line["message"].startswith(said)], daemon.text())
                self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()
