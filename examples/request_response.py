"""Asks a question and waits for its answer; or answers questions, also those of the time while nobody answered.
    request_response.py ask TEXT
    request_response.py answer [COUNT]"""

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


def ask(text):
    session = f"question-{time.time_ns()}"
    # Where the bus is now, before asking: the answer cannot be missed.
    after = call("GET", "/api/events/wait/answer", timeout=0)["cursor"]
    call("POST", "/api/events/question", {"topic": "coordination", "correlation_id": session, "data": {"text": text}}, session)
    reply = call("GET", "/api/events/wait/answer", filter="correlation_id:" + session, after=after, timeout=30000)
    if "events" not in reply:
        sys.exit("no answer within 30 s")
    print(reply["events"][0]["data"]["text"])


def answer(count=1):
    answered = 0
    while answered < int(count):
        # Under a name the daemon knows how far one has read; a new one begins with what is kept.
        told = call("GET", "/api/events/wait/question", subscriber="answerer", after=0, limit=1, timeout=30000)
        for question in told.get("events", []):
            session = question["correlation_id"]
            data = {"text": question["data"]["text"] + ": yes"}
            call("POST", "/api/events/answer", {"topic": "coordination", "correlation_id": session, "data": data}, "answer-" + session)
            call("POST", "/api/subscribers/answerer/ack", cursor=question["sequence"])
            answered += 1


if __name__ == "__main__":
    {"ask": ask, "answer": answer}[sys.argv[1]](*sys.argv[2:])
