"""What must be true of a journal and of the handlers' effects after the last daemon has drained and stopped."""

import collections
import json
import pathlib
import shutil
import sqlite3
import tempfile
from typing import NamedTuple

STEPS = {"fast": 1, "steps": 2, "flaky": 1, "ordered": 1, "file": 1, "tick": 1}  # of each handler


class Effect(NamedTuple):
    key: str
    attempt: int
    event: str


def read_effects(path):
    for line in pathlib.Path(path).read_text().splitlines():
        key, attempt, event = line.split(" ")
        yield Effect(key, int(attempt), event)


def rows(journal, sql):
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    try:
        connection.text_factory = lambda text: text.decode(errors="replace")
        connection.row_factory = sqlite3.Row
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def running_in_copy(journal):
    """Run id -> attempt of what a killed daemon had running. Of a copy: reading the file itself would begin its recovery."""
    journal = pathlib.Path(journal)
    with tempfile.TemporaryDirectory(prefix="hark-crash-copy-") as folder:
        for path in (journal, journal.with_name(journal.name + "-wal")):
            if path.exists():
                shutil.copy(path, folder)
        copy = sqlite3.connect(pathlib.Path(folder) / journal.name)
        try:
            return dict(copy.execute("SELECT id, attempt FROM runs WHERE state = 'running'").fetchall())
        except sqlite3.OperationalError:  # killed before the tables were made
            return {}
        finally:
            copy.close()


class Verdict:
    """Gathers what is wrong in `faults`, one line each."""

    def __init__(self, journal, effects, deliveries, cut_off, key_order):
        self.faults = []
        self.events = {row["id"]: row for row in rows(journal, "SELECT seq, id, type, source, dedupe_key, data FROM events")}
        self.runs = collections.defaultdict(list)  # by event id
        for row in rows(journal, "SELECT r.id, r.handler, r.state, r.attempt, r.error, e.id AS event FROM runs r LEFT JOIN events e ON e.seq = r.event_seq"):
            self.runs[row["event"]].append(row)
        self.decisions = collections.defaultdict(list)  # by event sequence
        for row in rows(journal, "SELECT event_seq, stage, verdict, handler, reason FROM decisions ORDER BY event_seq, ord"):
            self.decisions[row["event_seq"]].append(row)
        self.effects = list(read_effects(effects))
        self.by_event = collections.defaultdict(list)
        for effect in self.effects:
            self.by_event[effect.event].append(effect)
        self.deliveries = deliveries

        integrity = rows(journal, "PRAGMA integrity_check")[0][0]
        self.check(integrity == "ok", f"integrity_check: {integrity}")
        unrouted = [row["seq"] for row in rows(journal, "SELECT seq FROM unrouted")]
        self.check(not unrouted, f"events that were never routed: {unrouted}")
        self.every_delivery()
        self.every_event()
        self.every_run(cut_off)
        self.every_effect()
        self.order(key_order)

    def check(self, holds, otherwise):
        if not holds:
            self.faults.append(otherwise)

    def every_delivery(self):
        stored = collections.Counter(json.loads(row["data"])["n"] for row in self.events.values() if row["type"] == "webhook")
        by_key = collections.Counter(row["dedupe_key"] for row in self.events.values() if row["dedupe_key"])
        for key, count in by_key.items():
            self.check(count == 1, f"the dedupe key {key} is in the journal {count} times")
        for delivery in self.deliveries:
            self.check(stored[delivery.key] <= 1, f"{delivery} is in the journal {stored[delivery.key]} times")
            if not delivery.event_id:
                continue
            event = self.events.get(delivery.event_id)
            self.check(event is not None, f"{delivery} was accepted and is lost")
            if event is None:
                continue
            self.check(json.loads(event["data"])["n"] == delivery.key, f"{delivery} was answered with the id of another event")
            runs = self.runs[delivery.event_id]
            wanted = "failed" if delivery.mood == "fail" else "succeeded"
            self.check([run["state"] for run in runs] == [wanted], f"{delivery}: its runs should be one that {wanted}, and are {[tuple(run) for run in runs]}")
            attempts = {effect.attempt for effect in self.by_event[delivery.event_id]}
            if delivery.mood == "stuck" and runs and runs[0]["attempt"] > 1:
                self.check(max(attempts, default=0) > 1, f"{delivery} is at attempt {runs[0]['attempt']}, and HARK_ATTEMPT was {attempts}")

    def every_event(self):
        for event in self.events.values():
            decisions = self.decisions[event["seq"]]
            self.check(decisions, f"event {event['id']} has no decision")
            if self.runs[event["id"]] or not decisions:
                continue
            last = decisions[-1]
            stood_for = last["stage"] == "debounce" and (last["verdict"] == "dropped" or last["reason"].startswith("merged with "))
            self.check(stood_for, f"event {event['id']} of '{event['source']}' has no run; the last decision: {tuple(last)}")

    def every_run(self, cut_off):
        for event, runs in self.runs.items():
            self.check(event is not None, f"runs without an event: {[run['id'] for run in runs]}")
            self.check(len({run["handler"] for run in runs}) == len(runs), f"event {event} has more than one run of one handler")
            for run in runs:
                self.check(run["state"] in ("succeeded", "failed"), f"run {run['id']} is left {run['state']}")
                begun = cut_off.get(run["id"], 0)
                self.check(run["attempt"] > begun, f"run {run['id']} was cut off in attempt {begun} and ended in attempt {run['attempt']}")
                said = sum("was cut off" in decision["reason"] or "the next attempt in" in decision["reason"] for decision in self.decisions[self.events[event]["seq"]] if decision["handler"] == run["handler"])
                self.check(run["attempt"] == said + 1, f"run {run['id']} is at attempt {run['attempt']}, and its event's decisions tell of {said} that were cut off or failed")
                if run["state"] == "succeeded":
                    keys = {effect.key for effect in self.by_event[event] if f"/{run['handler']}/" in effect.key}
                    self.check(len(keys) == STEPS[run["handler"]], f"run {run['id']} of '{run['handler']}' succeeded, and its effects are {keys}")
                latest = max((effect.attempt for effect in self.by_event[event]), default=0)
                self.check(latest <= run["attempt"], f"run {run['id']} ended in attempt {run['attempt']}, and HARK_ATTEMPT was {latest}")

    def every_effect(self):
        for effect in self.effects:
            self.check(effect.event in self.events, f"{effect} is of no event in the journal")
        for (key, attempt), count in collections.Counter((effect.key, effect.attempt) for effect in self.effects).items():
            self.check(count <= 1, f"{key} was run {count} times in attempt {attempt}")

    def order(self, key_order):
        """The effects of `ordered` come in the order of its events: of each key, or of all where keys are not to be had."""
        last = collections.defaultdict(int)
        for effect in self.effects:
            if effect.event not in self.events or "/ordered/" not in effect.key:
                continue
            event = self.events[effect.event]
            line = json.loads(event["data"])["k"] if key_order else ""
            self.check(event["seq"] >= last[line], f"event {event['seq']} ran after {last[line]}, which is a later one of the same key")
            last[line] = max(last[line], event["seq"])
