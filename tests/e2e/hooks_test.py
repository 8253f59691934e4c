"""Hooks, which listen to lifecycle events or are asked before an event goes on: as filters, commands and requests, good ones and bad ones."""

import http.client
import http.server
import json
import threading
import time
import unittest

from support import DEADLINE, TestCase, gone

CONFIG = """
webhook_port = 0
max_concurrent_handlers = 4
[[sources]]
name = "in"
type = "webhook"
path = "/in"
unsigned = true
key = "{payload.key}"
handler = "work"
[handlers.work]
run = "echo {payload.n} >> done"
"""


def command(text, timeout="20s", on="event:received", more=""):
    return CONFIG + f"[[hooks]]\nname = \"gate\"\non = \"{on}\"\nrun = '''{text}'''\ntimeout = \"{timeout}\"\n" + more


class Answering(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.keys.append(self.headers["X-Key"])
        answer = self.server.answer(self.server.bodies[-1])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Hooks(TestCase):
    def start(self, text, log_level="debug", **environment):
        self.made = self.project(text, log_level=log_level)
        return self.daemon(self.made, env=environment)

    def until(self, condition):
        deadline = time.monotonic() + DEADLINE
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it never happened")
            time.sleep(0.02)

    def send(self, daemon, n, **more):
        status, _, body = daemon.request("POST", "/in", json.dumps({"n": n, "key": "k", **more}), {"Content-Type": "application/json"})
        self.assertEqual(status, 202)
        return json.loads(body)["event_id"]

    def done(self):
        try:
            return (self.made.path / "done").read_text().split()
        except FileNotFoundError:
            return []

    def decisions(self, event):
        explained = json.loads(self.made.hark("explain", event, "--json").stdout)
        return [(each["verdict"], each["reason"]) for each in explained["decisions"] if each["stage"] == "hook"]

    def server(self, answer):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        server.bodies, server.keys, server.answer = [], [], answer
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server


class Vetoes(Hooks):
    def test_a_filter_skips_what_bots_send(self):
        daemon = self.start(CONFIG + '[[hooks]]\nname = "no-bots"\non = "event:received"\nwhere = "payload.sender.type:Bot"\naction = "skip"\n')
        bot = self.send(daemon, 1, sender={"type": "Bot"})
        self.send(daemon, 2, sender={"type": "User"})
        daemon.wait_run("work")
        self.assertEqual(self.done(), ["2"])
        self.assertEqual(self.decisions(bot), [("dropped", "hook 'no-bots' skips it: where: payload.sender.type:Bot")])
        self.assertIn("no-bots", self.made.hark("explain", bot).stdout)

    def test_a_command_skips_by_what_it_answers(self):
        daemon = self.start(command("""grep -q '"n":1' && echo '{"action":"skip","reason":"an odd one"}'; exit 0"""))
        odd = self.send(daemon, 1)
        self.send(daemon, 2)
        daemon.wait_run("work")
        self.assertEqual(self.done(), ["2"])
        self.assertEqual(self.decisions(odd)[-1], ("dropped", "hook 'gate' skips it: an odd one"))

    def test_a_server_skips_the_start_of_one_handler(self):
        server = self.server(lambda body: b'{"action":"skip","reason":"not this one"}' if body["handler"] == "work" else b"")
        daemon = self.start(CONFIG.replace('handler = "work"', 'handlers = ["work", "other"]') + f"""[handlers.other]
run = "true"
[[hooks]]
name = "web"
on = "event:queued"
http = {{ url = "http://127.0.0.1:{server.server_port}/ask", headers = {{ X-Key = "${{KEY}}" }} }}
""", KEY="secret-of-the-hook")
        event = self.send(daemon, 1)
        daemon.wait_run("other")
        self.assertIn(("dropped", "hook 'web' skips it: not this one"), self.decisions(event))
        self.assertEqual(self.done(), [])
        self.assertEqual({body["name"] for body in server.bodies}, {"event:queued"})
        self.assertEqual(server.bodies[0]["event"]["data"]["n"], 1)
        self.assertEqual(set(server.keys), {"secret-of-the-hook"})
        self.assertNotIn("secret-of-the-hook", daemon.text())

    def test_one_shot(self):
        project = self.project(command("""grep -q '"n":1' && echo '{"action":"skip","reason":"odd"}'; exit 0"""))
        self.made = project
        project.hark("event", "--type", "webhook", "--payload", '{"n": 1, "key": "k"}')
        self.assertEqual(self.done(), [])
        project.hark("event", "--type", "webhook", "--payload", '{"n": 2, "key": "k"}')
        self.assertEqual(self.done(), ["2"])


class BadOnes(Hooks):
    """The event goes on, a decision and a warning say why."""

    def passed_over(self, text, why, timeout="20s"):
        daemon = self.start(command(text, timeout))
        event = self.send(daemon, 1)
        daemon.wait_run("work")
        self.assertEqual(self.done(), ["1"])
        verdict, reason = self.decisions(event)[-1]
        self.assertEqual(verdict, "passed")
        self.assertIn("hook 'gate' is passed over: " + why, reason)
        self.assertEqual(len([line for line in daemon.log if line["level"] == "warn" and "hook 'gate' failed" in line["message"]]), 1)
        return daemon

    def test_one_that_hangs(self):
        self.passed_over("sleep 1000", "it did not answer within 200ms (timeout)", "200ms")

    def test_one_that_fails(self):
        self.passed_over('''echo '{"action":"skip"}'; echo no such table >&2; exit 1''', "its command ended with exit status 1: no such table")

    def test_one_that_answers_nonsense(self):
        self.passed_over("echo I do not know", "its answer is no JSON: 'I do not know")

    def test_one_that_is_not_there(self):
        self.passed_over("exec /nowhere/to/be/found", "its command ended with exit status 127")

    def test_one_whose_child_ignores_SIGTERM(self):
        self.passed_over("""(trap "" TERM; echo $$ > leader; while :; do sleep 1; done) & echo $! > child; wait; sleep 1000""", "it did not answer within 500ms (timeout)", "500ms")
        child = int((self.made.path / "child").read_text())
        self.assertTrue(gone(child))


class Order(Hooks):
    def test_events_of_one_key_keep_their_order_when_the_first_is_answered_last(self):
        daemon = self.start(command("""n=$(grep -o '"n":[0-9]*'); if [ "$n" = '"n":1' ]; then while [ ! -e go ]; do sleep 0.05; done; fi; echo "$n" >> asked"""))
        for n in range(1, 5):
            self.send(daemon, n)
        self.until(lambda: self.lines("asked") == 3)  # all but the first have their answer
        self.assertEqual(self.done(), [])
        (self.made.path / "go").touch()
        self.until(lambda: len(self.done()) == 4)
        self.assertEqual(self.done(), ["1", "2", "3", "4"])

    def lines(self, name):
        try:
            return len((self.made.path / name).read_text().splitlines())
        except FileNotFoundError:
            return 0

    def test_a_flood_through_a_slow_hook_is_bounded_and_loses_nothing(self):
        daemon = self.start(command("while [ ! -e go ]; do sleep 0.05; done", "60s").replace('run = "echo {payload.n} >> done"', 'run = "true"'), "info")
        body = json.dumps({"n": 0, "key": "k"})
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=DEADLINE)
        for _ in range(2000):
            connection.request("POST", "/in", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            self.assertEqual(response.status, 202)
        connection.close()
        self.assertLessEqual(daemon.status()["queue"]["held"], 1000)
        daemon.wait_for(lambda line: "more than 1000 events wait for hooks" in line["message"], seen_too=True)
        (self.made.path / "go").touch()
        self.until(lambda: daemon.status()["queue"]["held"] == 0)
        self.until(lambda: daemon.status()["queue"]["waiting"] == 0 and daemon.status()["queue"]["running"] == 0)
        metrics = daemon.request("GET", "/metrics")[2].decode()
        self.assertIn('hark_runs_total{handler="work",state="succeeded"} 2000\n', metrics)


class Crash(Hooks):
    def test_an_event_that_was_asked_about_is_asked_about_again_and_runs_once(self):
        text = command("""echo $$ >> asked; while [ ! -e go ]; do sleep 0.05; done""", "60s")
        daemon = self.start(text)
        events = [self.send(daemon, n) for n in range(1, 4)]
        self.until(lambda: len(self.asked()) == 3)
        daemon.kill()
        left = self.asked()
        again = self.daemon(self.made)
        self.until(lambda: len(self.asked()) == 6)
        for pid in left:
            self.assertTrue(gone(pid), "what the dead daemon asked still runs")
        self.assertEqual(self.done(), [])
        (self.made.path / "go").touch()
        self.until(lambda: len(self.done()) == 3)
        self.assertEqual(again.stop(), 0)
        self.assertEqual(self.done(), ["1", "2", "3"])
        self.assertEqual(len(self.made.runs(handler="work", state="succeeded")), 3)
        self.assertEqual(self.decisions(events[0])[-1], ("passed", "hook 'gate' lets it go on"))

    def asked(self):
        try:
            return (self.made.path / "asked").read_text().split()
        except FileNotFoundError:
            return []


class Told(Hooks):
    def test_hooks_are_told_of_runs_and_publish_events(self):
        server = self.server(lambda body: b"thanks")
        daemon = self.start(CONFIG.replace("echo {payload.n} >> done", "exit 3") + f"""
[[sources]]
name = "alarms"
type = "topic"
topic = "ops"
handler = "alarm"
[handlers.alarm]
run = "echo {{event.topic}} {{payload.run.handler}} > alarm"
[[hooks]]
on = ["run:failed", "event:handler:*"]
where = "handler:work"
http = {{ url = "http://127.0.0.1:{server.server_port}/" }}
[[hooks]]
on = "run:failed"
publish = "alarm"
topic = "ops"
""")
        event = self.send(daemon, 1)
        daemon.wait_run("alarm")
        self.assertEqual((self.made.path / "alarm").read_text(), "ops work\n")
        self.until(lambda: len(server.bodies) == 3)
        self.assertEqual([body["name"] for body in server.bodies], ["event:handler:start", "event:handler:end", "run:failed"])
        run = server.bodies[-1]["run"]
        self.assertEqual(run["state"], "failed")
        alarm = self.made.events()[0]
        self.assertEqual((alarm["type"], alarm["causation_id"], alarm["correlation_id"], alarm["hops"]), ("alarm", run["id"], event, 1))

    def test_a_reload_exchanges_the_hooks(self):
        daemon = self.start(CONFIG)
        self.send(daemon, 1)
        daemon.wait_run("work")
        self.made.configure(CONFIG + '[[hooks]]\nname = "none"\non = "event:received"\naction = "skip"\n')
        self.assertIn("hooks: +none", self.made.hark("config", "plan").stdout)
        self.made.hark("daemon", "reload")
        event = self.send(daemon, 2)
        self.assertEqual(self.decisions(event), [("dropped", "hook 'none' skips it")])


if __name__ == "__main__":
    unittest.main()
