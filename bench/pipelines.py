"""What a run, a step and an iteration cost beside the command that they are there for, how many runs a second there are at several caps,
and what memory a running handler takes. The floor of all is posix_spawn and wait of /bin/true, on as many threads."""

import statistics
import time

TRUE = '["/bin/true"]'
MANY = 20  # steps or iterations in one run
HELD = 256  # handlers that run at once


class Pipelines:
    """`start` makes a daemon from a folder, a configuration and a cap, paused; `load` fills it; `floor` gives starts a second."""

    def __init__(self, folder, start, load, floor, seconds):
        self.folder, self.start, self.load, self.floor, self.seconds = folder, start, load, floor, seconds

    def rate(self, cap, handler):
        """Runs a second of what had gathered."""
        with self.folder() as at:
            daemon, port = self.start(at, handler, cap)
            try:
                self.load(port)
                daemon.command("resume")
                time.sleep(0.2)  # until it is under way
                before, begun = daemon.status()["queue"]["waiting"], time.monotonic()
                time.sleep(self.seconds)
                after, ended = daemon.status()["queue"]["waiting"], time.monotonic()
                assert after > 0, "the queue ran dry: nothing was measured"
                return (before - after) / (ended - begun)
            finally:
                daemon.stop()

    def memory(self, resident_mb):
        """KB a handler that runs."""
        with self.folder() as at:
            daemon, port = self.start(at, 'run = ["/bin/sleep", "1000"]', HELD)
            try:
                self.load(port)
                before = resident_mb(daemon.process.pid)
                daemon.command("resume")
                while len(daemon.status()["running"]) < HELD:
                    pass
                return (resident_mb(daemon.process.pid) - before) * 1024 / HELD
            finally:
                daemon.stop()


def run(bench, rounds, resident_mb, print_row):
    steps = "steps = [" + ", ".join(f"{{ run = {TRUE} }}" for _ in range(MANY)) + "]"
    sets = "steps = [" + ", ".join(f"{{ set = {{ a{i} = \"{{payload.ref}}\" }} }}" for i in range(MANY)) + f", {{ run = {TRUE} }}]"
    kinds = {
        "run": f"run = {TRUE}",
        "steps": steps,
        "sets": sets,
        "iterations": f'run = {TRUE}\nmax_iterations = {MANY}\nstrategy = "fixed"',
    }
    took = {kind: [] for kind in (*kinds, "floor")}
    for _ in range(rounds):
        took["floor"].append(1e6 / bench.floor(1))
        for kind, handler in kinds.items():
            took[kind].append(1e6 / bench.rate(1, handler))

    def row(name, cost):
        each = [cost({kind: figures[i] for kind, figures in took.items()}) for i in range(rounds)]
        ratio = statistics.median(one / floor for one, floor in zip(each, took["floor"]))
        print_row(name, f"{statistics.median(each):,.0f}", "µs", f"   {ratio:.2f} x floor")

    print("\nA run of /bin/true, one at a time")
    row("floor: posix_spawn and wait", lambda t: t["floor"])
    row("a run of one step", lambda t: t["run"])
    row("each further step", lambda t: (t["steps"] - t["run"]) / (MANY - 1))
    row("each step without a process", lambda t: (t["sets"] - t["run"]) / MANY)
    row("each further iteration", lambda t: (t["iterations"] - t["run"]) / (MANY - 1))

    print("\nRuns of one step, by the cap")
    caps = {cap: ([], []) for cap in (1, 4, 64)}
    for _ in range(rounds):
        for cap, (floors, rates) in caps.items():
            floors.append(bench.floor(cap))
            rates.append(bench.rate(cap, kinds["run"]))
    for cap, (floors, rates) in caps.items():
        ratio = statistics.median(rate / floor for rate, floor in zip(rates, floors))
        print_row(f"{cap} at once", f"{statistics.median(rates):,.0f}", "/s", f"   {ratio:.2f} x floor ({statistics.median(floors):,.0f} /s)")
    print_row("memory a running handler", f"{statistics.median(bench.memory(resident_mb) for _ in range(rounds)):.0f}", "KB", "")
