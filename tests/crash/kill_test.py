#!/usr/bin/env python3
"""Kills `hark daemon` over and over while it works, and looks at the end whether every promise was kept.

    HARK_BINARY=build/release/hark tests/crash/kill_test.py [--kills N] [--seed S]

Senders, a watched folder and a schedule keep it busy; SIGKILL comes up to 800 ms after it is ready, now and then while it starts. The
seed decides what is sent and when it is killed; what the daemon is doing at that moment remains the machine's own.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from load import SECRET, Address, FileChanger, Sender
from support import DEADLINE, Daemon, Project, gone
from verdict import Verdict, running_in_copy

KEY_ORDER = True       # whether a source may have `key`: its handler then runs in the order of the events of each key
SENDERS = 6
WEBHOOKS = ["fast", "steps", "flaky", "ordered"]
LIFE = 0.8              # seconds at most from ready to the kill
START = 0.04            # ... and from exec to the kill of one that is killed while it starts
KILLED_AT_START = 0.15  # this part of them
KILLED_AT_ANSWER = 0.3  # ... and this part at the very moment of an answer, one of so many:
ANSWERS = 30
DRAIN = 600             # seconds until a queue that does not empty is a failure
MARK = "CRASH_TEST_LIFE"

CONFIGURATION = f"""
webhook_port = 0
max_concurrent_handlers = 8
retention_events = 100000000

[[sources]]
name = "fast"
type = "webhook"
path = "/fast"
secret = "{SECRET}"
handler = "fast"

[[sources]]
name = "steps"
type = "webhook"
path = "/steps"
provider = "github"
secret = "{SECRET}"
handler = "steps"

[[sources]]
name = "flaky"
type = "webhook"
path = "/flaky"
secret = "{SECRET}"
handler = "flaky"

[[sources]]
name = "ordered"
type = "webhook"
path = "/ordered"
secret = "{SECRET}"
handler = "ordered"
{'key = "{payload.k}"' if KEY_ORDER else ""}

[[sources]]
name = "files"
type = "file_change"
path = "watched"
debounce_ms = 50
handler = "file"

[[sources]]
name = "clock"
type = "schedule"
cron = "* * * * * *"
handler = "tick"

[handlers.fast]
run = ["./effect", "{{payload.mood}}"]

[handlers.steps]
steps = [
  {{ name = "first", run = ["./effect", "{{payload.mood}}"] }},
  {{ name = "second", run = "./effect" }},
]

[handlers.flaky]
run = ["./effect", "{{payload.mood}}"]
retry = {{ attempts = 2, backoff = "10ms" }}

[handlers.ordered]
{"" if KEY_ORDER else "max_concurrent = 1"}
run = ["./effect", "{{payload.mood}}"]

# Its files change all the while it is busy, and are never its own: each change is to be seen.
[handlers.file]
run = "./effect"
allow_self_trigger = true

[handlers.tick]
run = "./effect"
"""

# One write with O_APPEND. `stuck` ends only with its daemon, and leaves a child in a session of its own; `calm` ends this game.
EFFECT = """#!/bin/sh
printf '%s %s %s\\n' "$HARK_IDEMPOTENCY_KEY" "$HARK_ATTEMPT" "$HARK_EVENT_ID" >> effects
case "$1" in
  fail) exit 1 ;;
  slow) sleep 0.1 ;;
  stuck)
    if [ "$HARK_ATTEMPT" != 1 ] || [ -e calm ]; then exit 0; fi
    setsid tail -f /dev/null &
    exec tail -f /dev/null ;;
esac
exit 0
"""


class Trial:
    def __init__(self, folder, seed, kills):
        self.random = random.Random(seed)
        self.kills = kills
        self.project = Project(folder, CONFIGURATION)
        self.path = self.project.path
        self.journal = self.path / ".hark/journal.db"
        (self.path / "watched").mkdir()
        (self.path / "effects").touch()
        (self.path / "effect").write_text(EFFECT)
        (self.path / "effect").chmod(0o755)
        self.life = 0
        self.cut_off = {}   # run id -> the latest attempt that a kill cut off
        self.faults = []
        self.address = Address()
        self.senders = [Sender(number, seed, WEBHOOKS, self.address) for number in range(SENDERS)]
        self.files = FileChanger(self.path / "watched", seed)

    def run(self):
        for thread in (*self.senders, self.files):
            thread.start()
        for _ in range(self.kills):
            self.live_and_die()
        self.rest()
        deliveries = [delivery for sender in self.senders for delivery in sender.deliveries]
        self.faults += [fault for sender in self.senders for fault in sender.faults]
        verdict = Verdict(self.journal, self.path / "effects", deliveries, self.cut_off, KEY_ORDER)
        self.faults += verdict.faults
        self.check(self.cut_off, "no run was ever cut off: nothing was tried")
        self.check(any(delivery.sent > 1 and delivery.event_id for delivery in deliveries), "no delivery was sent again: nothing was tried")
        print(f"{self.kills} kills, {len(verdict.events)} events, {sum(1 for d in deliveries if d.event_id)} of {len(deliveries)} deliveries answered, "
              f"{sum(1 for d in deliveries if d.sent > 1)} sent more than once, {len(self.cut_off)} runs cut off, {len(verdict.effects)} effects", flush=True)
        return self.faults

    def check(self, holds, otherwise):
        if not holds:
            self.faults.append(otherwise)

    @contextlib.contextmanager
    def daemon(self, *arguments, ready=True, answers=0):
        """The next daemon, killed at that answer; dead at the end, whatever happens."""
        self.life += 1
        daemon = Daemon(self.project, *arguments, env={MARK: f"{self.path}/{self.life}"}, ready=False)
        try:
            if ready:
                said = daemon.wait_ready()
                self.look_for_leftovers()
                self.address.set(self.life, int(said.rsplit(":", 1)[1]), answers, daemon.process.kill)
            yield daemon
        finally:
            daemon.kill()
            daemon.process.stderr.close()

    def live_and_die(self):
        way = self.random.random()
        at_start, at_answer = way < KILLED_AT_START, way > 1 - KILLED_AT_ANSWER
        moment = self.random.uniform(0, START if at_start else LIFE)
        answers = self.random.randrange(1, ANSWERS) if at_answer else 0
        with self.daemon(ready=not at_start, answers=answers) as daemon:
            if at_answer:
                daemon.process.wait(DEADLINE)
            else:
                time.sleep(moment)  # the kill comes at a random moment: that is the trial
        for run, attempt in running_in_copy(self.journal).items():
            self.cut_off[run] = max(attempt, self.cut_off.get(run, 0))

    def rest(self):
        """The last daemon starts nothing new but what was still to be sent again, and empties its queue."""
        for thread in (*self.senders, self.files):
            thread.enough.set()
        (self.path / "calm").touch()
        with self.daemon("--sources", ",".join(WEBHOOKS)) as daemon:
            for thread in (*self.senders, self.files):
                thread.join(DEADLINE)
                self.check(not thread.is_alive(), f"{thread} was not answered in time")
            deadline = time.monotonic() + DRAIN
            while not self.idle(daemon):
                if time.monotonic() > deadline:
                    self.faults.append(f"the queue does not empty: {daemon.request('GET', '/api/status')[2][:1000]}")
                    break
                time.sleep(0.05)
            code = daemon.stop()
            self.check(code == 0, f"the last daemon ended with {code}")
        self.life += 1
        self.look_for_leftovers()

    def idle(self, daemon):
        status = json.loads(daemon.request("GET", "/api/status")[2])
        return not any(status["queue"][what] for what in ("waiting", "running", "held"))

    def look_for_leftovers(self):
        """No process of an earlier life is left."""
        begin = f"{MARK}={self.path}/".encode()
        for process in pathlib.Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                environment = (process / "environ").read_bytes().split(b"\0")
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # it ended, or is another user's
                continue
            for variable in environment:
                if variable.startswith(begin) and int(variable[len(begin):]) < self.life and not gone(process.name):
                    self.faults.append(f"process {process.name} ({command.strip()}) of life {variable[len(begin):].decode()} is left in life {self.life}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--kills", type=int, default=20)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments.add_argument("--keep", action="store_true", help="leave the folder where a promise was broken")
    options = arguments.parse_args()
    print(f"--kills {options.kills} --seed {options.seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="hark-crash-")
    faults = Trial(folder, options.seed, options.kills).run()
    for fault in faults[:50]:
        print("FAULT:", fault)
    if faults and options.keep:
        print("kept:", folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(faults)} faults" if faults else "every promise was kept")
    return 1 if faults else 0


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.exit(main())
