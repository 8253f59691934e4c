"""Two agents in rounds: one writes, the other reviews, until it approves.
    feedback_loop.py write SESSION
    feedback_loop.py review SESSION    approves the third draft"""

import itertools
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


def say(kind, session, **data):
    call("POST", "/api/events/" + kind, {"topic": "testing", "correlation_id": session, "data": data}, f"{kind}-{session}-{data['round']}")


def heard(kind, session, number):
    """The one of this round, among all that are kept."""
    while True:
        told = call("GET", "/api/events/wait/" + kind, filter=f"correlation_id:{session},payload.round:{number}", after=0, timeout=30000)
        if "events" in told:
            return told["events"][0]["data"]


def write(session):
    for number in itertools.count(1):
        say("draft", session, round=number)
        if heard("review", session, number)["approved"]:
            return print(f"approved in round {number}")


def review(session):
    for number in itertools.count(1):
        heard("draft", session, number)
        approved = number >= 3
        say("review", session, round=number, approved=approved)
        if approved:
            return


if __name__ == "__main__":
    {"write": write, "review": review}[sys.argv[1]](*sys.argv[2:])
