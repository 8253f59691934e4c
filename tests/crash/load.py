"""Senders that post signed webhooks to a daemon that is killed under them, and send again what was not answered."""

import hashlib
import hmac
import http.client
import json
import pathlib
import random
import threading
from dataclasses import dataclass

SECRET = "crash"
PACE = 0.08     # seconds at most between two deliveries of one sender
GIVE_UP = 0.1   # of the deliveries that were not answered this part is not sent again: the daemon may have them or not
DEADLINE = 60

# What the handler of a delivery does: see `effect` in kill_test.py.
MOODS = ("plain",) * 14 + ("slow",) * 4 + ("fail", "stuck")


@dataclass
class Delivery:
    key: str              # Idempotency-Key, or GitHub's delivery id
    source: str
    mood: str
    k: str                # the key of a source that has one
    event_id: str = ""    # empty: never answered
    sent: int = 0


class Address:
    """Where the daemon of the moment listens; `life` counts the daemons."""

    def __init__(self):
        self._changed = threading.Condition()
        self._life, self._port = 0, None
        self._answers, self._kill = 0, None

    def set(self, life, port, answers=0, kill=None):
        """With `kill`: call it as soon as so many answers have come, when what they promise is youngest."""
        with self._changed:
            self._life, self._port = life, port
            self._answers, self._kill = answers, kill
            self._changed.notify_all()

    def answered(self):
        with self._changed:
            self._answers -= 1
            if self._answers == 0 and self._kill:
                self._kill()

    def wait(self, after):
        """The life and port of a daemon that began after that life."""
        with self._changed:
            self._changed.wait_for(lambda: self._life > after)
            return self._life, self._port


class Sender(threading.Thread):
    def __init__(self, number, seed, sources, address):
        super().__init__(daemon=True)
        self.number = number
        self.random = random.Random(f"{seed}/{number}")
        self.sources = sources
        self.address = address
        self.enough = threading.Event()
        self.deliveries = []
        self.faults = []

    def run(self):
        try:
            while not self.enough.wait(self.random.uniform(0, PACE)):
                self.deliver(self.next_delivery())
        except Exception as fault:  # the driver asks for it
            self.faults.append(repr(fault))

    def next_delivery(self):
        made = Delivery(f"s{self.number}-{len(self.deliveries)}", self.random.choice(self.sources), self.random.choice(MOODS), f"k{self.random.randrange(4)}")
        self.deliveries.append(made)
        return made

    def deliver(self, delivery):
        life, gives_up = 1, self.random.random() < GIVE_UP
        while True:
            life, port = self.address.wait(after=life - 1)
            delivery.sent += 1
            try:
                status, answer = self.post(port, delivery)
            except (OSError, http.client.HTTPException):  # killed: there will be another
                if gives_up:
                    return
                life += 1
                continue
            if status not in (200, 202):
                raise AssertionError(f"{delivery} was answered with {status}: {answer[:200]}")
            self.address.answered()
            delivery.event_id = json.loads(answer)["event_id"]
            return

    def post(self, port, delivery):
        body = json.dumps({"n": delivery.key, "k": delivery.k, "mood": delivery.mood, "filler": "x" * self.random.randrange(2000)}).encode()
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Signature": signature, "Idempotency-Key": delivery.key}
        if delivery.source == "steps":
            headers = {"Content-Type": "application/json", "X-Hub-Signature-256": signature, "X-GitHub-Event": "push", "X-GitHub-Delivery": delivery.key}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        try:
            connection.request("POST", "/" + delivery.source, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


class FileChanger(threading.Thread):
    """Makes, changes, renames and removes files in a watched folder."""

    def __init__(self, folder, seed):
        super().__init__(daemon=True)
        self.folder = pathlib.Path(folder)
        self.random = random.Random(f"{seed}/files")
        self.enough = threading.Event()

    def run(self):
        while not self.enough.wait(self.random.uniform(0, PACE)):
            file = self.folder / f"f{self.random.randrange(20)}"
            what = self.random.randrange(4)
            if what == 0:
                file.unlink(missing_ok=True)
            elif what == 1 and file.exists():
                file.rename(self.folder / f"f{self.random.randrange(20)}")
            else:
                file.write_text("x" * self.random.randrange(5000))
