"""What it costs to be watched: a lifecycle event's subscribers, and the metrics of a thousand handlers that have all run."""

import http.client
import statistics
import time

HANDLERS = 1000


def config():
    names = [f"handler-{i}" for i in range(HANDLERS)]
    lines = ['webhook_port = 0', '[[sources]]', 'name = "all"', 'type = "topic"', 'events = ["go"]', f'handlers = {names!r}'.replace("'", '"')]
    for name in names:
        lines += [f"[handlers.{name}]", 'run = ["/bin/true"]', 'expect_every = "1d"']
    return "\n".join(lines) + "\n"


def scrape(port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    begun = time.monotonic()
    connection.request("GET", "/metrics")
    text = connection.getresponse().read()
    took = time.monotonic() - begun
    connection.close()
    return took, text


def metrics(folder, start):
    """(ms of a scrape, its bytes, its lines) of a daemon each of whose handlers has run."""
    with folder() as at:
        daemon = start(at, config())
        try:
            port = daemon.status()["listener"]["port"]
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("POST", "/api/events/go", "{}")
            connection.getresponse().read()
            connection.close()
            while scrape(port)[1].count(b'state="succeeded"} 1\n') < HANDLERS:
                pass
            taken = [scrape(port) for _ in range(20)]
            return statistics.median(took for took, _ in taken) * 1000, len(taken[-1][1]), taken[-1][1].count(b"\n")
        finally:
            daemon.stop()


def run(folder, start, cost, rounds, print_row):
    print("\nTo be watched", flush=True)
    for subscribers in (0, 1, 10):
        print_row(f"a lifecycle event, {subscribers} subscribers", f"{statistics.median(cost(subscribers) for _ in range(rounds)):.0f}", "ns", "")
    figures = [metrics(folder, start) for _ in range(rounds)]
    print_row(f"/metrics of {HANDLERS:,} handlers", f"{statistics.median(ms for ms, _, _ in figures):.1f}", "ms", f"   {figures[-1][2]:,} lines, {figures[-1][1] / 1e6:.1f} MB")
