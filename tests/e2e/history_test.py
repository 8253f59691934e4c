"""What ran, what arrived and why: history and explain, and what they need of a configuration."""

import json
import signal
import subprocess
import unittest

from support import HARK, TestCase

CONFIG = """
webhook_port = 0
[[sources]]
name = "hook-of-the-build-server"
type = "webhook"
path = "/x"
secret = "${HOOK_SECRET}"
where = "payload.ref:main"
handler = "show"
[handlers.show]
run = "test {payload.text} = good"
"""
SECRET = {"HOOK_SECRET": "top-secret-value"}


class Told(TestCase):
    def setUp(self):
        super().setUp()
        self.project_ = self.project(CONFIG)

    def event(self, status=0, **data):
        self.project_.hark("event", "--type", "webhook", "--payload", json.dumps(data), env=SECRET, status=status)

    def events(self, *arguments):
        shown = self.project_.hark("history", "--events", "--json", *arguments, env=SECRET).stdout
        return json.loads(shown)["events"]

    def hark(self, *arguments, status=0):
        return self.project_.hark(*arguments, env=SECRET, status=status)

    def on_terminal(self, columns, *arguments):
        return self.project_.on_terminal(columns, *arguments, env=SECRET)


class Ids(Told):
    def test_explain_takes_a_run_and_history_an_event(self):
        self.event(ref="main", text="good")
        event = self.events()[0]
        run = event["runs"][0]["id"]
        of_event, of_run = (self.hark("explain", each, "--json").stdout for each in (event["event"]["id"], run))
        self.assertEqual(of_event, of_run)
        done = self.hark("history", event["event"]["id"])
        self.assertIn("is an event; its runs", done.stderr)
        self.assertIn(run, done.stdout)

    def test_an_event_that_never_ran_says_so(self):
        self.event(ref="dev")
        event = self.events()[0]["event"]["id"]
        done = self.hark("history", event)
        self.assertIn("no run came of it", done.stderr)
        self.assertIn("hark explain " + event, done.stderr)
        self.assertIn("no run and no event is 'nonesuch'", self.hark("history", "nonesuch", status=1).stderr)
        self.assertIn("no event and no run is 'nonesuch'", self.hark("explain", "nonesuch", status=1).stderr)

    def test_the_running_daemon_is_asked_the_same(self):
        self.daemon(self.project_, env=SECRET)
        event = json.loads(self.hark("daemon", "trigger", "--handler", "show", "--payload", '{"text": "good"}', "--wait", "--json").stdout)["event_id"]
        self.assertIn("is an event; its runs", self.hark("daemon", "history", event).stderr)
        for nothing in ("nonesuch", "../x", "a b?c"):
            self.assertIn(f"no run and no event is '{nothing}'", self.hark("daemon", "history", nothing, status=1).stderr)
        self.assertIn("did you mean 'show'", self.hark("daemon", "history", "--handler", "shwo").stderr)

    def test_on_a_terminal_ids_are_short_and_still_name_what_they_stand_for(self):
        for text in ("good", "bad"):
            self.event(ref="main", text=text, status=0 if text == "good" else 1)
        runs = [run["id"] for run in self.project_.runs()]
        for run, line in zip(runs, self.on_terminal(200, "history")[1:]):
            short = line.split()[0]
            self.assertLess(len(short), 26)
            self.assertTrue(run.startswith(short))
            self.assertEqual(json.loads(self.hark("history", short, "--json").stdout)["id"], run)
            self.assertIn(run, self.hark("explain", short, "--json").stdout)
        self.assertIn(runs[0], self.hark("history").stdout)

    def test_in_a_narrow_terminal_the_source_goes_first_and_an_error_stays(self):
        self.event(ref="main", text="bad", status=1)
        for columns, titles in ((200, "RUN WHEN HANDLER STATE TOOK SOURCE ERROR"), (72, "RUN WHEN HANDLER STATE TOOK SOURCE"), (54, "RUN WHEN HANDLER STATE TOOK"), (40, "RUN WHEN HANDLER STATE")):
            lines = self.on_terminal(columns, "history")
            self.assertEqual(lines[0].split(), titles.split())
            self.assertLessEqual(max(map(len, lines)), columns)
            error = lines[1].split()[-3:] if columns == 200 else lines[2].split()[:3]  # below its run, where there is no room beside it
            self.assertEqual(error, ["exit", "status", "1"])

    def test_what_says_why_is_never_cut_away(self):
        self.event(ref="a branch with a long name of many words", text="x")
        event = self.events()[0]["event"]["id"]
        whole = self.hark("explain", event).stdout.splitlines()[-1]
        reason = whole[whole.index("where: "):]
        for columns in (80, 60):
            lines = self.on_terminal(columns, "explain", event)[1:]  # the first names the event
            self.assertLessEqual(max(map(len, lines)), columns)
            self.assertIn(reason, " ".join(" ".join(lines).split()))


class Follow(Told):
    def follow(self, *arguments):
        following = subprocess.Popen([HARK, "history", "--follow", *arguments, "--config", self.project_.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     text=True, env=self.project_.environment(SECRET))
        self.assertIn("Ctrl-C", following.stderr.readline())  # it has begun
        self.addCleanup(following.stderr.close)
        self.addCleanup(following.stdout.close)
        self.addCleanup(following.wait)
        self.addCleanup(following.kill)
        return following.stdout

    def test_runs_are_told_as_they_end(self):
        self.event(ref="main", text="good")  # before: it is not told
        with open(self.project_.config, "a") as config:
            config.write('[handlers.slow]\nrun = "until test -e go; do sleep 0.01; done"\n')
        daemon = self.daemon(self.project_, env=SECRET)
        told = self.follow("--json")
        failed = self.follow("--filter", "state:failed")
        self.hark("daemon", "trigger", "--handler", "slow")
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        self.hark("daemon", "trigger", "--handler", "show", "--payload", '{"text": "bad"}')
        self.assertEqual(json.loads(told.readline())["handler"], "show")
        self.assertIn("show  failed  exit status 1", failed.readline())
        (self.project_.path / "go").touch()
        slow = json.loads(told.readline())
        self.assertEqual((slow["handler"], slow["state"]), ("slow", "succeeded"))

    def test_runs_that_waited_or_ran_before_are_told_whichever_ends_first(self):
        with open(self.project_.config, "a") as config:
            config.write('[handlers.slow]\nrun = "until test -e {payload.n}; do sleep 0.01; done"\n[handlers.bad]\nrun = "test -e good"\n')
        daemon = self.daemon(self.project_, env=SECRET)
        self.hark("daemon", "trigger", "bad", "--wait", status=1)
        old = self.project_.runs()[0]["id"]
        for n in (1, 2, 3):
            self.hark("daemon", "trigger", "slow", "--payload", json.dumps({"n": str(n)}))
        self.hark("daemon", "pause", "--handler", "show")
        self.hark("daemon", "trigger", "show", "--payload", '{"text": "good"}')
        told = self.follow("--json")
        for n in (2, 1, 3):
            (self.project_.path / str(n)).touch()
            self.assertEqual(json.loads(told.readline())["handler"], "slow")
        self.hark("daemon", "resume", "--handler", "show")
        self.assertEqual(json.loads(told.readline())["handler"], "show")
        (self.project_.path / "good").touch()
        self.hark("dead-letters", "retry", old)
        self.assertEqual(json.loads(told.readline())["id"], old)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.wait()
        self.daemon(self.project_, env=SECRET)
        self.hark("daemon", "trigger", "show", "--payload", '{"text": "again"}')
        self.assertEqual(json.loads(told.readline())["handler"], "show")

    def test_without_a_daemon_it_says_so(self):
        self.assertIn("no daemon answers", self.hark("history", "--follow", status=69).stderr)

    def test_it_stands_alone(self):
        self.hark("history", "--follow", "--events", status=2)
        self.hark("history", "--follow", "01KAJ4", status=2)


class Events(Told):
    def test_another_arrival_of_the_same_event_hides_no_reason(self):
        with open(self.project_.config, "a") as config:
            config.write('\n[[sources]]\nname = "hook"\ntype = "webhook"\npath = "/in"\nunsigned = true\nhandler = "show"\nwhere = "payload.n:2"\n')
        daemon = self.daemon(self.project_, env=SECRET)
        for _ in range(2):
            daemon.request("POST", "/in", '{"n":1}', {"Content-Type": "application/json", "Idempotency-Key": "one"})
        [line] = self.hark("history", "--events").stdout.splitlines()[1:]
        self.assertIn("payload.n is 1, wanted '2'", line)

    def test_each_says_what_became_of_it(self):
        self.event(ref="main", text="bad", status=1)
        self.event(ref="dev")
        lines = self.hark("history", "--events").stdout.splitlines()
        self.assertEqual(lines[0].split(), ["EVENT", "WHEN", "SOURCE", "TYPE", "SUBJECT", "RUNS"])
        self.assertIn("payload.ref is 'dev', wanted 'main'", lines[1])
        self.assertIn("show: failed", lines[2])
        self.assertEqual([event["event"]["data"]["ref"] for event in self.events()], ["dev", "main"])

    def test_one_that_was_merged_says_into_which(self):
        watched = self.project_.path / "watched"
        watched.mkdir()
        with open(self.project_.config, "a") as config:
            config.write('[[sources]]\ntype = "file_change"\npath = "watched"\ndebounce_ms = 1000\nhandler = "show"\n')
        daemon = self.daemon(self.project_, env=SECRET)
        (watched / "one").write_text("x")
        daemon.wait_for(lambda line: line.get("name") == "event:received")
        (watched / "two").write_text("x")
        daemon.wait_run("show", "failed")
        lines = self.hark("history", "--events").stdout.splitlines()[1:]
        merged = [line for line in lines if "merged with 1 other into event " in line]
        self.assertEqual((len(lines), len(merged)), (3, 2), lines)

    def test_a_filter_is_about_the_event(self):
        for ref in ("one", "two"):
            self.event(ref=ref)
        self.assertEqual([event["event"]["data"]["ref"] for event in self.events("--filter", "payload.ref:one")], ["one"])
        self.assertEqual(len(self.events("--limit", "1")), 1)
        self.assertIn("no event matches", self.hark("history", "--events", "--filter", "ref:three").stderr)
        self.assertIn("did you mean", self.hark("history", "--events", "--filter", "event.tpye:x", status=2).stderr)


class Misspelt(Told):
    def test_before_anything_ran_and_when_nothing_matches(self):
        self.assertIn("no runs yet", self.hark("history").stderr)
        self.event(ref="main", text="good")
        done = self.hark("history", "--filter", "state:failed")
        self.assertIn("no run matches", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_names_in_a_filter_get_the_nearest(self):
        self.event(ref="main", text="good")
        for wrong, near in (("sate:failed", "state"), ("state:faild", "failed"), ("event.sorce:x", "event.source")):
            self.assertIn(f"did you mean '{near}'", self.hark("history", "--filter", wrong, status=2).stderr)
        for words in (("--handler", "shwo"), ("--filter", "handler:shwo")):
            done = self.hark("history", *words, "--json")
            self.assertIn("no run is of a handler named 'shwo'; did you mean 'show'?", done.stderr)
            self.assertEqual(json.loads(done.stdout), {"runs": []})
        self.assertNotIn("is named", self.hark("history", "--filter", "handler:show,state:fail*").stderr)


class WithoutAllOfTheConfiguration(Told):
    def test_without_its_secrets_one_line_says_so_and_the_rest_works(self):
        self.daemon(self.project_, env=SECRET)
        event = json.loads(self.hark("daemon", "trigger", "--handler", "show", "--payload", '{"text": "good"}', "--wait", "--json").stdout)["event_id"]
        for words in (("daemon", "status"), ("daemon", "pause"), ("daemon", "resume"), ("daemon", "history"), ("history",), ("explain", event),
                      ("daemon", "trigger", "--handler", "show"), ("daemon", "stop")):
            done = self.project_.hark(*words)
            self.assertIn("the configuration has 1 error (`hark config check` shows where)", done.stderr, words)
        self.project_.hark("daemon", status=78)

    def test_where_the_place_cannot_be_read_the_way_out_is_named(self):
        self.event(ref="main", text="good")
        journal = self.project_.path / ".hark/journal.db"
        self.project_.config.write_text('x = [\njournal_file = "elsewhere.db"\n')
        self.assertIn("--socket", self.project_.hark("daemon", "status", status=78).stderr)
        for words in (("history",), ("explain", "x"), ("history", "--events")):
            self.assertIn("--journal", self.project_.hark(*words, status=78).stderr)
        done = self.project_.hark("history", "--journal", str(journal), "--json")
        self.assertEqual(len(json.loads(done.stdout)["runs"]), 1)
        self.assertEqual(done.stderr, "")
        self.assertIn("no such journal: none.db", self.project_.hark("history", "--journal", "none.db", status=1).stderr)


if __name__ == "__main__":
    unittest.main()
