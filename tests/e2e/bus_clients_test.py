"""The bus as other people's clients see it: npm's ws, eventsource and cloudevents, headless Chromium, curl, Python's http.client.

scripts/test brings what stands in clients/package.json into build/clients; where it is not, those tests are skipped, but not by CI.
"""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import queue
import shutil
import subprocess
import threading
import unittest

from support import DEADLINE, TestCase

CLIENTS = pathlib.Path(__file__).parent / "clients"
MODULES = pathlib.Path(__file__).parents[2] / "build" / "clients" / "node_modules"
CHROMIUM = shutil.which("chromium") or ""
EVENTS = 50
KILLS = (15, 35)  # after so many events


def needs(there, what):
    return unittest.skipUnless(there or os.environ.get("CI"), what)


npm = needs(MODULES.is_dir() and shutil.which("node"), "scripts/test installs the clients")
browser = needs(MODULES.is_dir() and shutil.which("node") and CHROMIUM, "scripts/bootstrap test installs Chromium")


class Reader:
    """A client in a process of its own; the lines that it prints as they come."""

    def __init__(self, test, words, environment):
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
        self.lines = queue.Queue()
        thread = threading.Thread(target=self._read)
        thread.start()

        def end():
            self.process.terminate()  # node has Chromium end with it
            self.process.wait(DEADLINE)
            thread.join(DEADLINE)
            self.process.stdout.close()

        test.addCleanup(end)

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def next(self):
        line = self.lines.get(timeout=DEADLINE)
        if line is None:
            raise AssertionError(f"the client ended with {self.process.wait(DEADLINE)}")
        return line


class BusClients(TestCase):
    def setUp(self):
        super().setUp()
        self.box = self.project("webhook_port = 0\n")
        self.server = self.daemon(self.box)
        self.port = self.server.port
        self.url = f"http://127.0.0.1:{self.port}"
        self.box.configure(f"webhook_port = {self.port}\n")  # the next one listens there, too: clients come back to it

    def kill(self):
        self.server.kill()
        self.server = self.daemon(self.box)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request(method, path, body if body is None else json.dumps(body), headers or {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def publish(self, n):
        status, answer = self.request("POST", "/api/events/tick", {"data": {"n": n}}, {"Idempotency-Key": f"tick-{n}"})
        self.assertEqual(status, 202, answer)

    def program(self, *words):
        environment = {**os.environ, "NODE_PATH": str(MODULES)}
        for name in [name for name in environment if name.lower().endswith("_proxy")]:
            del environment[name]
        return Reader(self, [str(word) for word in words], environment)

    def client(self, name, *words):
        return self.program("node", CLIENTS / f"{name}.cjs", *words)

    def kills_lose_and_double_nothing(self, reader):
        """The daemon is killed twice while the client reads along, and right after an event was taken."""
        self.publish(0)
        seen = [int(reader.next())]
        for n in range(1, EVENTS):
            self.publish(n)
            if n in KILLS:
                while len(seen) < n - 3:  # it has come back from the kill before
                    seen.append(int(reader.next()))
                self.kill()
        while len(seen) < EVENTS:
            seen.append(int(reader.next()))
        self.publish(EVENTS)  # and nothing more stands between them and this
        seen.append(int(reader.next()))
        self.assertEqual(seen, list(range(EVENTS + 1)))

    @npm
    def test_eventsource_of_npm_goes_on_by_itself(self):
        self.kills_lose_and_double_nothing(self.client("eventsource", self.url, "tick"))

    @npm
    def test_ws_of_npm_goes_on_after_its_cursor(self):
        self.kills_lose_and_double_nothing(self.client("ws", "read", self.url, "tick"))

    @npm
    def test_ws_of_npm_publishes_through_kills(self):
        reader = self.client("ws", "publish", self.url, "tock", 200)
        for _ in range(2):
            reader.next()
            self.kill()
        self.assertEqual(reader.process.wait(DEADLINE), 0)
        status, answer = self.request("GET", "/api/events?type=tock&limit=1000&after=0")
        self.assertEqual(status, 200)
        self.assertEqual(sorted(event["data"]["n"] for event in answer["events"]), list(range(200)))

    @npm
    def test_cloudevents_of_npm_are_taken_in_every_form(self):
        self.assertEqual(self.client("cloudevents", self.url).next(), "all as they were")

    @npm
    def test_a_socket_of_another_site_is_refused(self):
        self.assertEqual(self.client("ws", "foreign", self.url).next(), "403")

    @browser
    def test_an_event_source_of_chromium_goes_on_by_itself(self):
        self.kills_lose_and_double_nothing(self.client("chromium", CHROMIUM, "EventSource", self.url, "tick"))

    @browser
    def test_a_web_socket_of_chromium_goes_on_after_its_cursor(self):
        self.kills_lose_and_double_nothing(self.client("chromium", CHROMIUM, "WebSocket", self.url, "tick"))

    @browser
    def test_a_page_of_another_site_neither_reads_nor_publishes(self):
        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<title>another site</title>")

            def log_message(self, *_):
                pass

        other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        self.addCleanup(lambda: (other.shutdown(), thread.join(), other.server_close()))
        said = self.client("chromium", CHROMIUM, "foreign", self.url, f"http://127.0.0.1:{other.server_port}/").next()
        # `opaque`: the page may not know what was answered. The journal does.
        self.assertEqual(json.loads(said), {"socket": "refused", "stream": "refused", "read": "refused", "publish": "opaque"})
        self.assertEqual(self.request("GET", "/api/events")[1]["events"], [])
        self.assertEqual(self.request("POST", "/api/events/forged", {}, {"Origin": "http://evil.example"})[0], 403)
        self.assertEqual(self.request("GET", "/api/stream", headers={"Origin": "null"})[0], 403)

    def test_curl_reads_along_without_delay(self):
        reader = self.program("curl", "-sSN", "--max-time", DEADLINE, f"{self.url}/api/stream?types=tick&after=0")
        for n in range(EVENTS):
            self.publish(n)
            while not (line := reader.next()).startswith("data:"):
                pass
            self.assertEqual(json.loads(line.removeprefix("data:"))["data"], {"n": n})

    def test_http_client_of_python_goes_on_by_last_event_id(self):
        last, seen = "0", []
        for begin in range(0, EVENTS, 10):
            for n in range(begin, begin + 5):  # while nobody reads
                self.publish(n)
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
            with contextlib.closing(connection):
                connection.request("GET", "/api/stream?types=tick&names=false", headers={"Last-Event-ID": last})
                response = connection.getresponse()
                for n in range(begin + 5, begin + 10):
                    self.publish(n)
                while len(seen) < (begin + 8 if begin + 10 < EVENTS else EVENTS):  # some are left for the next
                    line = response.readline().decode()
                    self.assertTrue(line, "the stream ended")
                    name, _, value = line.rstrip("\n").partition(": ")
                    if name == "id":
                        last = value
                    elif name == "data":
                        seen.append(json.loads(value)["data"]["n"])
                        self.assertEqual(seen[-1], len(seen) - 1)
                response.close()


if __name__ == "__main__":
    unittest.main()
