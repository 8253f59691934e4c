"""What failed for good: looked at, retried and discarded from the command line; runs that are cancelled; events that are replayed."""

import json
import signal
import subprocess
import unittest

from support import HARK, TestCase, eventually

# Fails until somebody writes "mended".
CONFIG = """
webhook_port = 0
[[sources]]
name = "hook"
type = "webhook"
path = "/in"
unsigned = true
where = "payload.n:"
dedupe_key = "{payload.n}"
handlers = ["bad", "good"]
[handlers.bad]
run = "echo at work; echo complaint {payload.n} >&2; test -e mended"
retry = { attempts = 2, backoff = "1ms" }
[handlers.good]
run = "echo {payload.n}"
"""


class Letters(TestCase):
    def setUp(self):
        super().setUp()
        self.project_ = self.project(CONFIG)
        self.daemon_ = self.daemon(self.project_)

    def hark(self, *arguments, status=0):
        return self.project_.hark(*arguments, status=status)

    def die(self, n):
        done = self.hark("daemon", "trigger", "--handler", "bad", "--payload", json.dumps({"n": n}), "--wait", "--json", status=1)
        return json.loads(done.stdout)["runs"][0]["id"]

    def post(self, n):
        status, _, body = self.daemon_.request("POST", "/in", json.dumps({"n": n}), {"Content-Type": "application/json"})
        self.assertEqual(status, 202)
        return json.loads(body)["event_id"]

    def letters(self, *arguments):
        return [letter["id"] for letter in json.loads(self.hark("dead-letters", "list", "--json", *arguments).stdout)["dead_letters"]]


class Looking(Letters):
    def test_the_list_needs_no_daemon(self):
        first, second = self.die(1), self.die(2)
        self.assertIn("2 dead letters (`hark dead-letters list`)", self.hark("daemon", "status").stdout)
        self.assertIn("\nhark_dead_letters 2\n", self.daemon_.request("GET", "/metrics")[2].decode())
        self.assertEqual(self.daemon_.stop(), 0)
        lines = self.hark("dead-letters", "list").stdout.splitlines()
        self.assertEqual(lines[0].split(), ["RUN", "DIED", "HANDLER", "EVENT", "SOURCE", "ATTEMPTS", "ERROR"])
        self.assertEqual([line.split()[0] for line in lines[1:]], [second, first])
        self.assertIn("complaint 2", lines[1])
        self.assertEqual(self.letters("-n", "1"), [second])
        self.assertEqual(self.letters("--filter", "error:*complaint?1*"), [first])
        self.assertIn("did you mean 'bad'", self.hark("dead-letters", "list", "--handler", "bda").stderr)
        self.assertIn("did you mean", self.hark("dead-letters", "list", "--filter", "dead_sinse:", status=2).stderr)
        self.hark("dead-letters", "retry", "--all", status=69)

    def test_one_shows_its_attempts_what_it_wrote_and_its_event(self):
        run = self.die(7)
        for words in (("dead-letters", "show", run[:13]), ("history", run)):
            shown = self.hark(*words).stdout
            self.assertIn("attempt 1  failed", shown)
            self.assertIn("      at work\n      complaint 7", shown)
            self.assertIn("hark dead-letters retry " + run, shown)
        self.assertIn('"n": 7', self.hark("dead-letters", "show", run).stdout)
        self.assertIn("hark dead-letters retry " + run, self.hark("explain", run).stdout)
        told = json.loads(self.hark("dead-letters", "show", run, "--json").stdout)
        self.assertEqual((told["run"]["attempt"], len(told["run"]["attempts"]), told["event"]["data"]), (2, 1, {"n": 7}))
        good = json.loads(self.hark("daemon", "trigger", "--handler", "good", "--wait", "--json").stdout)["runs"][0]["id"]
        self.assertIn("does not stand in the dead letters", self.hark("dead-letters", "show", good, status=1).stderr)
        self.assertNotIn("dead-letters", self.hark("history", good).stdout)


class Settling(Letters):
    def test_a_retry_runs_it_again_and_says_what_it_could_not_do(self):
        run = self.die(1)
        (self.project_.path / "mended").touch()
        good = json.loads(self.hark("daemon", "trigger", "--handler", "good", "--wait", "--json").stdout)["runs"][0]["id"]
        done = self.hark("dead-letters", "retry", run, good, "nonesuch", status=1)
        self.assertEqual(done.stdout, f"retried {run}\n")
        self.assertIn(good + ": no such dead letter", done.stderr)  # it succeeded: once is enough
        self.assertIn("nonesuch: no such dead letter", done.stderr)
        self.daemon_.wait_run("bad")
        self.assertEqual(self.letters(), [])
        self.assertEqual([(one["state"], one["attempt"]) for one in self.project_.runs(id=run)], [("succeeded", 3)])

    def test_all_that_match_oldest_first_and_a_dry_run_touches_none(self):
        first, second, third = (self.die(n) for n in (1, 2, 3))
        wanted = ("--filter", "!id:" + third)
        shown = json.loads(self.hark("dead-letters", "retry", *wanted, "--dry-run", "--json").stdout)["dead_letters"]
        self.assertEqual([one["id"] for one in shown], [first, second])
        self.assertEqual(len(self.letters()), 3)
        done = json.loads(self.hark("dead-letters", "discard", *wanted, "--json").stdout)
        self.assertEqual(done, {"discarded": [first, second], "failed": []})
        self.assertEqual(self.letters(), [third])
        self.assertEqual(len(self.project_.runs()), 3)
        self.hark("dead-letters", "retry", "--all")
        eventually(lambda: self.letters() == [third] and self.project_.runs(id=third)[0]["attempt"] > 2)  # it failed again
        self.assertIn("no dead letter matches", self.hark("dead-letters", "retry", "--filter", "handler:good").stderr)
        for words in ((), (third, "--all"), ("--filter", "sate:x"), ("--filter", ""), ("--filter", " "), ("../x",)):
            for verb in ("retry", "discard"):
                self.hark("dead-letters", verb, *words, status=2)
        self.assertEqual(self.letters(), [third])


class Cancelling(TestCase):
    def test_what_runs_and_what_waits(self):
        project = self.project("max_concurrent_handlers = 1\n[handlers.long]\nrun = 'exec tail -f /dev/null'\n")
        daemon = self.daemon(project)
        for _ in range(2):
            project.hark("daemon", "trigger", "--handler", "long")
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        by_state = {run["state"]: run["id"] for run in project.runs()}
        waiting = next(run for run in project.runs() if run["state"] == "queued")
        project.hark("daemon", "cancel", waiting["event"]["id"])  # which has no other run
        daemon.wait_run("long", "cancelled")
        self.assertIn("cancelled", project.hark("daemon", "cancel", by_state["running"]).stderr)
        daemon.wait_run("long", "cancelled")
        self.assertEqual([run["state"] for run in project.runs()], ["cancelled", "cancelled"])
        self.assertIn("not under way", project.hark("daemon", "cancel", by_state["running"], status=1).stderr)
        self.assertIn("no such run", project.hark("daemon", "cancel", "nonesuch", status=1).stderr)
        project.hark("daemon", "drain")
        self.assertEqual(daemon.process.wait(60), 0)
        project.hark("daemon", "cancel", by_state["running"], status=69)


class Replaying(Letters):
    def setUp(self):
        super().setUp()
        (self.project_.path / "mended").touch()

    def posted(self, *numbers):
        events = []
        for n in numbers:
            events.append(self.post(n))
            self.daemon_.wait_run("good")
        return events

    def replay(self, *arguments, status=0):
        lines = self.hark("replay", "--json", *arguments, status=status).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def stored(self, event):
        return json.loads(self.hark("explain", event, "--json").stdout)

    def test_an_event_is_a_new_one_with_its_data_and_its_time(self):
        [event] = self.posted(1)
        [replayed] = self.replay(event[:13], "--handler", "good")
        old, new = self.stored(event)["event"], self.stored(replayed["event_id"])
        self.daemon_.wait_run("good")
        self.assertEqual([run["handler"] for run in new["runs"]], ["good"])
        self.assertEqual(new["event"]["replay_of"], event)
        for field in ("data", "time", "type", "source"):
            self.assertEqual(new["event"][field], old[field])
        self.assertEqual(new["event"]["correlation_id"], new["event"]["id"])
        self.assertNotIn("dedupe_key", new["event"])

    def test_what_was_sent_by_name_goes_to_that_handler_again(self):
        self.project_.configure(CONFIG + '[[sources]]\nname = "manual"\ntype = "manual"\nhandler = "good"\n[handlers.other]\nrun = "true"\n')
        self.hark("daemon", "reload")
        event = json.loads(self.hark("daemon", "trigger", "other", "--wait", "--json").stdout)["event_id"]
        for arguments in ((), ("--handler", "other")):
            self.assertIn("other", self.hark("replay", event, *arguments, "--dry-run").stdout)
            [again] = self.replay(event, *arguments)
            self.daemon_.wait_run("other")
            self.assertEqual([run["handler"] for run in self.stored(again["event_id"])["runs"]], ["other"])
        [elsewhere] = self.replay(event, "--handler", "good")  # which the rules of its source name
        self.daemon_.wait_run("good")
        self.assertEqual([run["handler"] for run in self.stored(elsewhere["event_id"])["runs"]], ["good"])
        self.project_.configure(CONFIG)
        self.hark("daemon", "reload")
        self.assertIn("sent by name to the handler 'other', which is no longer there", self.hark("replay", event, status=1).stderr)

    def test_since_takes_what_came_from_outside_oldest_first_and_no_replay(self):
        events = self.posted(1, 2, 3)
        self.hark("daemon", "trigger", "--handler", "good", "--payload", '{"n": 4}', "--wait")
        for _ in range(2):
            again = self.replay("--since", "1h", "--source", "hook", "--filter", "!payload.n:2", "--rate", "1000/s", "--handler", "good")
            self.assertEqual([one["replay_of"] for one in again], [events[0], events[2]])
        self.assertIn("no event matches", self.hark("replay", "--since", "1h", "--until", "1h").stderr)
        self.assertIn("replayed 4 of 4 events", self.hark("replay", "--since", "1h").stderr)

    def test_todays_rules_decide_and_say_so(self):
        [event] = self.posted(1)
        self.assertEqual(self.daemon_.stop(), 0)
        self.project_.configure(CONFIG.replace('where = "payload.n:"', 'where = "payload.n:2"'))
        self.assertIn("payload.n is 1, wanted '2'", self.hark("replay", event, "--dry-run").stdout)  # without a daemon
        self.assertIn("no daemon answers", self.hark("replay", event, status=69).stderr)
        self.daemon_ = self.daemon(self.project_)
        done = self.hark("replay", event)
        self.assertIn("payload.n is 1, wanted '2'", done.stdout)
        self.assertEqual(self.stored(done.stdout.split()[1])["runs"], [])
        told = self.hark("explain", done.stdout.split()[1]).stdout.splitlines()
        self.assertTrue(told[0].endswith("  a replay of " + event))
        self.assertEqual(told[1:3], ["DATA", json.dumps(self.stored(event)["event"]["data"], separators=(",", ":"))])

    def test_a_dry_run_writes_nothing(self):
        [event] = self.posted(1)
        run = json.loads(self.hark("explain", event, "--json").stdout)["runs"][0]["id"]
        for either in (event, run):
            header, line = self.hark("replay", either, "--dry-run").stdout.splitlines()
            self.assertEqual(header.split(), ["EVENT", "TIME", "SOURCE", "SUBJECT", "WOULD", "RUN"])
            self.assertTrue(line.startswith(event) and line.endswith("  bad, good"), line)
        [told] = self.replay("--since", "1h", "--handler", "good", "--dry-run")
        self.assertEqual((told["event"]["replay_of"], [one["name"] for one in told["handlers"]]), (event, ["good"]))
        self.assertEqual(len(json.loads(self.hark("history", "--events", "--json").stdout)["events"]), 1)

    def test_what_is_wrong_is_said(self):
        [event] = self.posted(1)
        for more in ((), ("--dry-run",)):
            self.assertIn("did you mean 'good'", self.hark("replay", event, "--handler", "goood", *more, status=1).stderr)
        self.assertIn("no such event", self.hark("replay", "nonesuch", event, status=1).stderr)
        self.project_.configure(CONFIG.replace('handlers = ["bad", "good"]', 'handler = "bad"'))
        self.hark("daemon", "reload")
        self.assertIn("source 'hook' does not name the handler 'good'", self.hark("replay", event, "--handler", "good", status=1).stderr)
        self.assertEqual(len(json.loads(self.hark("history", "--events", "--json").stdout)["events"]), 2)  # with the one replayed above
        for words in ((), (event, "--since", "1h"), ("--since", "yesterday"), ("--since", "1h", "--until", "2h"), ("--since", "1h", "--rate", "fast"), ("--since", "1h", "--filter", "event.tpye:x"), ("a/b",)):
            self.hark("replay", *words, status=2)

    def test_a_signal_stops_it_between_two_and_says_how_many_went(self):
        self.posted(1, 2)
        replay = subprocess.Popen([HARK, "replay", "--since", "1h", "--rate", "1/h", "--config", self.project_.config], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.project_.environment())
        self.daemon_.wait_run("good")
        replay.send_signal(signal.SIGINT)
        out, err = replay.communicate(timeout=60)
        self.assertEqual((replay.returncode, len(out.splitlines())), (128 + signal.SIGINT, 1))
        self.assertIn("stopped: replayed 1 of 2 events", err)

    def test_a_schedule_does_not_believe_itself_back_at_a_slot_that_is_replayed(self):
        self.assertEqual(self.daemon_.stop(), 0)
        self.project_.configure('[[sources]]\nname = "yearly"\ntype = "schedule"\ncron = "0 0 1 1 *"\nhandler = "h"\n[handlers.h]\nrun = "true"\n')
        slots = ["2025-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"]
        for slot in slots:
            self.hark("event", "--type", "schedule", "--subject", slot)
        first = json.loads(self.hark("history", "--json").stdout)["runs"][1]["event"]["id"]
        daemon = self.daemon(self.project_)
        self.hark("replay", first)
        daemon.wait_run("h")
        self.assertEqual(daemon.stop(), 0)
        state = json.loads((self.project_.path / ".hark/state.json").read_text())
        self.assertEqual(state["schedules"]["yearly"]["last_slot"], slots[1])


if __name__ == "__main__":
    unittest.main()
