"""One request, several workers, all their replies gathered.
    fan_out.py ask SESSION COUNT
    fan_out.py work SESSION NAME"""

import json
import os
import sys
import time
import urllib.parse
import urllib.request

URL = os.environ.get("HARK_URL", "http://127.0.0.1:8080")


def call(method, path, body=None, key=None, **query):
    """What the daemon answers."""
    request = urllib.request.Request(URL + path + "?" + urllib.parse.urlencode(query), method=method, data=json.dumps(body).encode() if body else None)
    if key:
        request.add_header("Idempotency-Key", key)  # sent twice, it is one event
    if "HARK_TOKEN" in os.environ:
        request.add_header("Authorization", "Bearer " + os.environ["HARK_TOKEN"])
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def say(kind, session, worker):
    return call("POST", "/api/events/" + kind, {"topic": "coordination", "correlation_id": session, "data": {"worker": worker}}, f"{kind}-{session}-{worker}")


def ask(session, count):
    # Where the request stands. Asked again under its key it is the same place, and replies to it stand behind it.
    after = say("request", session, "all")["sequence"]
    replies, until = [], time.monotonic() + 60
    while len(replies) < int(count):
        if time.monotonic() > until:
            sys.exit(f"{int(count) - len(replies)} have not replied within a minute")
        told = call("GET", "/api/events/wait/reply", filter="correlation_id:" + session, after=after, timeout=10000)
        after = told["cursor"]
        replies += told.get("events", [])
    for reply in replies:
        print(reply["data"]["worker"])


def work(session, name):
    while "events" not in call("GET", "/api/events/wait/request", filter="correlation_id:" + session, after=0, timeout=30000):
        pass
    # … the work …
    say("reply", session, name)


if __name__ == "__main__":
    {"ask": ask, "work": work}[sys.argv[1]](*sys.argv[2:])
