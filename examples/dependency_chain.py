"""A step that begins when all that it needs is done, in whatever order.
    dependency_chain.py SESSION STEP [NEEDS...]"""

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


def main(session, step, *needs):
    missing, after = set(needs), 0
    while missing:
        told = call("GET", "/api/events/wait/step_done", filter="correlation_id:" + session, after=after, timeout=30000)
        after = told["cursor"]
        missing -= {event["data"]["step"] for event in told.get("events", [])}
    # … the work …
    call("POST", "/api/events/step_done", {"topic": "implementation", "correlation_id": session, "data": {"step": step}}, f"step-{session}-{step}")
    print(step, "done")


if __name__ == "__main__":
    main(*sys.argv[1:])
