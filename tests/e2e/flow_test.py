"""What a configuration says of failures and of order, with the real program: retry, on_failure, breaker, key, on_busy, throttle, batch, ..."""

import json
import os
import signal
import subprocess
import unittest

from support import DEADLINE, HARK, TestCase

HOOK = """
webhook_port = 0
[[sources]]
name = "hook"
type = "webhook"
path = "/in"
unsigned = true
handler = "work"
"""


class Flow(TestCase):
    def start(self, source, handler, top=""):
        self.project_ = self.project(top + HOOK + source + "\n[handlers.work]\n" + handler)
        os.mkfifo(self.project_.path / "gate")
        self.daemon_ = self.daemon(self.project_)

    def post(self, **data):
        status, _, body = self.daemon_.request("POST", "/in", json.dumps(data), {"Content-Type": "application/json"})
        self.assertIn(status, (200, 202), body)
        return json.loads(body)["event_id"]

    def started(self):
        self.daemon_.wait_for(lambda line: line.get("name") == "run:started")

    def open_gate(self):
        (self.project_.path / "gate").write_text("go\n")

    def runs(self):
        """By the order in which they arrived."""
        return self.project_.runs(handler="work")[::-1]

    def states(self):
        return [run["state"] for run in self.runs()]

    def history(self, run):
        return json.loads(self.project_.hark("history", run["id"], "--json").stdout)

    def explained(self, what):
        return self.project_.hark("explain", what).stdout


class Retried(Flow):
    def test_until_it_succeeds_with_every_attempt_in_the_history(self):
        self.start("", """run = 'echo "failed at $HARK_ATTEMPT $HARK_IDEMPOTENCY_KEY" >> tries; echo no >&2; test $HARK_ATTEMPT = 3'
retry = { attempts = 3, backoff = "1ms" }""")
        self.post()
        self.daemon_.wait_run("work")
        run = self.history(self.runs()[0])
        self.assertEqual((run["state"], run["attempt"]), ("succeeded", 3))
        self.assertEqual([(one["attempt"], one["state"], one["steps"][0]["error_output"]) for one in run["attempts"]], [(1, "failed", "no\n"), (2, "failed", "no\n")])
        tries = [line.split() for line in (self.project_.path / "tries").read_text().splitlines()]
        self.assertEqual([one[2] for one in tries], ["1", "2", "3"])
        self.assertEqual(len({one[3] for one in tries}), 1)
        self.assertIn("failure 1 of 3, the next attempt in", self.explained(run["id"]))

    def test_the_pause_takes_no_slot_and_outlives_the_daemon(self):
        self.start("", 'run = "exit 1"\nmax_concurrent = 1\nretry = { attempts = 2, backoff = "1h" }\n[handlers.other]\nrun = "true"', "max_concurrent_handlers = 1\n")
        self.post()
        self.daemon_.wait_for(lambda line: line.get("name") == "run:retry")
        self.project_.hark("daemon", "trigger", "--handler", "other", "--wait")
        before = self.runs()[0]
        self.daemon_.kill()
        self.daemon_ = self.daemon(self.project_)
        after = self.runs()[0]
        self.assertEqual((after["state"], after["attempt"], after["not_before"]), ("queued", 2, before["not_before"]))
        self.assertIn("(retry)", self.explained(after["id"]))

    def test_only_what_is_worth_it(self):
        self.start("", 'run = "test {payload.again} = yes && exit 75; exit 1"\nretry = { attempts = 2, backoff = "1ms", exit_codes = [75] }')
        for again in ("yes", "no"):
            self.post(again=again)
            self.daemon_.wait_run("work", "failed")
        self.assertEqual([run["attempt"] for run in self.runs()], [2, 1])


    def test_a_person_who_interrupts_hark_event_ends_the_pause_as_well(self):
        project = self.project("[handlers.work]\nrun = 'echo here > gate; exit 1'\nretry = { attempts = 2, backoff = '1h' }\n")
        os.mkfifo(project.path / "gate")
        event = subprocess.Popen([HARK, "event", "--handler", "work", "--config", project.config], stdout=subprocess.PIPE, text=True, env=project.environment())
        self.addCleanup(event.kill)
        (project.path / "gate").read_text()
        while not project.runs(state="queued", attempt=2):
            self.assertIsNone(event.poll())
        event.send_signal(signal.SIGINT)
        event.communicate(timeout=DEADLINE)
        self.assertEqual(event.returncode, 128 + signal.SIGINT)
        self.assertEqual([run["state"] for run in project.runs()], ["cancelled"])


class Failing(Flow):
    def test_on_failure_is_told_of_the_run_and_its_event(self):
        self.start("", 'run = "exit 3"\non_failure = "tell"\n[handlers.tell]\nrun = "cat"\n')
        event = self.post(n=1)
        self.daemon_.wait_run("tell")
        told = json.loads(self.project_.run_output(self.project_.runs(handler="tell")[0]["id"]))
        run = self.runs()[0]
        self.assertEqual((told["type"], told["subject"], told["causation_id"], told["hops"]), ("run_failed", "work", run["id"], 1))
        self.assertEqual((told["data"]["run"]["error"], told["data"]["event"]["id"], told["data"]["event"]["data"]), (run["error"], event, {"n": 1}))
        self.assertEqual(told["correlation_id"], event)
        refused = self.project_.hark("replay", told["id"], status=1)
        self.assertIn("hark dead-letters retry " + run["id"], refused.stderr)

    def test_a_breaker_leaves_the_handler_alone_and_says_so(self):
        self.start("", 'run = "exit 1"\nbreaker = { failures = 2, cooldown = "1h" }')
        for _ in range(2):
            self.post()
            self.daemon_.wait_run("work", "failed")
        event = self.post()
        self.daemon_.wait_for(lambda line: "failed 2 times in a row" in line["message"], seen_too=True)
        self.assertEqual(self.states(), ["failed", "failed", "queued"])
        [handler] = self.daemon_.status()["handlers"]
        self.assertEqual((handler["breaker"]["state"], handler["waiting"]), ("open", 1))
        self.assertIn("breaker open until ", self.project_.hark("daemon", "status").stdout)
        self.assertRegex(self.explained(event), r"the breaker of 'work' is open after 2 failures in a row, until 20\d\d-")


class Ordered(Flow):
    def test_one_of_a_key_at_a_time_in_their_order(self):
        self.start('key = "{payload.key}"\n', "run = 'mkdir lock-{payload.key} && echo {payload.n} >> {payload.key} && rmdir lock-{payload.key}'")
        self.project_.hark("daemon", "pause")  # so that all of them could begin at once
        for n in range(6):
            for key in "ab":
                self.post(key=key, n=n)
        self.project_.hark("daemon", "resume")
        for _ in range(12):
            self.daemon_.wait_run("work")
        self.assertIn('key = "{payload.key}"', self.project_.hark("config", "show").stdout)
        for key in "ab":
            self.assertEqual((self.project_.path / key).read_text().split(), list("012345"))

    def test_latest_takes_the_place_of_what_waits(self):
        self.start("", "run = 'read line < gate; echo {payload.n}'\non_busy = 'latest'")
        self.post(n=1)
        self.started()
        self.post(n=2)
        newest = self.post(n=3)
        self.assertEqual(self.states(), ["running", "cancelled", "queued"])
        self.assertIn(newest, self.runs()[1]["error"])
        self.open_gate()
        self.started()
        self.open_gate()
        self.daemon_.wait_for(lambda line: line.get("run") == self.runs()[2]["id"] and line.get("name") == "run:complete", seen_too=True)
        self.assertEqual(self.states(), ["succeeded", "cancelled", "succeeded"])

    def test_restart_takes_the_place_of_what_runs(self):
        self.start("", "run = 'test {payload.n} = 2 || exec tail -f /dev/null'\non_busy = 'restart'")
        self.post(n=1)
        self.started()
        self.post(n=2)
        self.daemon_.wait_run("work")
        self.assertEqual(self.states(), ["cancelled", "succeeded"])

    def test_drop_runs_nothing_and_says_why(self):
        self.start("", "run = 'exec tail -f /dev/null'\non_busy = 'drop'")
        self.post(n=1)
        self.started()
        event = self.post(n=2)
        self.assertEqual(self.states(), ["running"])
        self.assertIn('on_busy is "drop"', self.explained(event))


class Gathered(Flow):
    def test_a_throttle_lets_the_others_wait_for_their_time(self):
        self.start('throttle = "1/h"\n', 'run = "true"')
        self.post(n=1)
        self.daemon_.wait_run("work")
        event = self.post(n=2)
        self.assertEqual(self.states(), ["succeeded", "queued"])
        self.assertIn("throttle: 1/h have started, the next may", self.explained(event))

    def test_a_batch_is_one_event_with_all_of_them(self):
        self.start('batch = { max = 3, within = "1h" }\n', 'run = "cat"')
        events = [self.post(n=n) for n in range(3)]
        self.daemon_.wait_run("work")
        [run] = self.runs()
        batch = json.loads(self.project_.run_output(run["id"]))
        self.assertEqual((batch["members"], [one["id"] for one in batch["data"]["events"]]), (3, events))
        self.assertIn("replay its members", self.project_.hark("replay", batch["id"], status=1).stderr)

    def test_one_event_alone_is_no_batch(self):
        project = self.project(HOOK + "batch = {}\n[handlers.work]\nrun = 'cat'\n")
        told = project.hark("event", "--type", "webhook", "--payload", "{}", status=1)
        self.assertIn("gathers its events into a batch", told.stderr)
        self.assertIn("gathered: 1 of 100", project.hark("event", "--type", "webhook", "--payload", "{}", "--dry-run").stdout)
        done = project.hark("event", "--handler", "work", "--payload", '{"events": []}', "--json")
        self.assertEqual(json.loads(done.stdout)["runs"][0]["state"], "succeeded")

    def test_a_dedupe_key_makes_two_arrivals_one_event(self):
        self.start('dedupe_key = "{payload.id}"\n', 'run = "true"')
        self.assertEqual(self.post(id=7, text="a"), self.post(id=7, text="b"))
        self.daemon_.wait_run("work")
        self.assertEqual(len(self.runs()), 1)


class Surviving(Flow):
    def test_a_pause_outlives_the_daemon(self):
        self.start("", 'run = "true"')
        self.project_.hark("daemon", "pause", "--handler", "work")
        self.daemon_.kill()
        self.daemon_ = self.daemon(self.project_)
        event = self.post()
        self.assertEqual(self.states(), ["queued"])
        self.assertIn("handler 'work' is paused", self.explained(event))
        self.project_.hark("daemon", "resume", "--handler", "work")
        self.daemon_.wait_run("work")

    def killed_in_the_second_step(self, more):
        self.start("", more + """
[[handlers.work.steps]]
name = "first"
run = 'echo first >> done'
[[handlers.work.steps]]
name = "second"
run = 'echo "$HARK_ATTEMPT $HARK_IDEMPOTENCY_KEY" >> keys; test $HARK_ATTEMPT != 1 || { echo here > gate; exec tail -f /dev/null; }'
[[handlers.work.steps]]
name = "third"
run = 'echo third >> done'
""")
        self.post()
        self.assertEqual((self.project_.path / "gate").read_text(), "here\n")
        self.daemon_.kill()
        self.daemon_ = self.daemon(self.project_)
        return (self.project_.path / "keys").read_text

    def test_it_goes_on_at_the_step_that_was_cut_off(self):
        keys = self.killed_in_the_second_step("")
        self.daemon_.wait_for(lambda line: line.get("name") == "run:complete", seen_too=True)
        self.assertEqual((self.project_.path / "done").read_text(), "first\nthird\n")
        first, second = (line.split() for line in keys().splitlines())
        self.assertEqual((first[0], second[0]), ("1", "2"))
        self.assertEqual(first[1], second[1])
        run = self.history(self.runs()[0])
        self.assertEqual([step["name"] for step in run["steps"]], ["first", "second", "third"])
        self.assertEqual([(one["attempt"], one["state"]) for one in run["attempts"]], [(1, "interrupted")])

    def test_or_begins_again(self):
        self.killed_in_the_second_step('on_interrupt = "restart"')
        self.daemon_.wait_for(lambda line: line.get("name") == "run:complete", seen_too=True)
        self.assertEqual((self.project_.path / "done").read_text(), "first\nfirst\nthird\n")

    def test_or_stands_in_the_dead_letters(self):
        self.killed_in_the_second_step('on_interrupt = "fail"')
        self.assertEqual(self.states(), ["interrupted"])
        self.assertIn("interrupted", self.project_.hark("dead-letters", "list", "--json").stdout)


if __name__ == "__main__":
    unittest.main()
