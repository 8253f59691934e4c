"""One request, several workers, all their replies gathered.
    fan_out.py ask SESSION COUNT
    fan_out.py work SESSION NAME"""

import json
import os
import sys
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
    call("POST", "/api/events/" + kind, {"topic": "coordination", "correlation_id": session, "data": {"worker": worker}}, f"{kind}-{session}-{worker}")


def ask(session, count):
    after = call("GET", "/api/events/wait/reply", timeout=0)["cursor"]
    say("request", session, "all")
    replies = []
    while len(replies) < int(count):
        told = call("GET", "/api/events/wait/reply", filter="correlation_id:" + session, after=after, timeout=30000)
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
