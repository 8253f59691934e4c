"""One that leads through phases, each begun when the one before is done; and one that does them.
    phased_workflow.py lead SESSION
    phased_workflow.py work SESSION"""

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

PHASES = ("plan", "build", "verify")


def say(kind, session, phase):
    call("POST", "/api/events/" + kind, {"topic": "coordination", "correlation_id": session, "data": {"phase": phase}}, f"{kind}-{session}-{phase}")


def hear(kind, session, phase):
    while "events" not in call("GET", "/api/events/wait/" + kind, filter=f"correlation_id:{session},payload.phase:{phase}", after=0, timeout=30000):
        pass


def lead(session):
    for phase in PHASES:
        say("phase_begin", session, phase)
        hear("phase_done", session, phase)
        print(phase, "done")


def work(session):
    for phase in PHASES:
        hear("phase_begin", session, phase)
        # … the work …
        say("phase_done", session, phase)


if __name__ == "__main__":
    {"lead": lead, "work": work}[sys.argv[1]](*sys.argv[2:])
