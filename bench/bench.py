"""Puts the programs of bench/ together. Every figure is the median of several rounds, in which all candidates take turns, so that a
machine whose speed drifts harms all alike; ratios are to the floor of the same round."""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import bus
import monitoring
import pipelines
import trees

SECRET = "bench-secret"
HANDLERS = 2  # hark's cap, and the floor's threads: the machine's cores as the reference has them

arguments = argparse.ArgumentParser()
arguments.add_argument("build")
arguments.add_argument("--rounds", type=int, default=3)
arguments.add_argument("--events", type=int, default=500)
arguments.add_argument("--seconds", type=float, default=3)
arguments.add_argument("--only", default="file,webhook,starts,pipelines,route,schedules,idle", help="also: monitoring; bus, trees and backlog, which take minutes")
arguments.add_argument("--backlog", type=int, default=1_000_000, help="events of a backlog")
options = arguments.parse_args()
build = pathlib.Path(options.build).resolve()
programs = build / "bench"
hark = build / "hark"


def program(name):
    return str(programs / f"bench_{name}")


@contextlib.contextmanager
def running(*command, ready=None, **more):
    """A process that is ended with all its children; `ready` is read from its standard output first."""
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **more)
    try:
        yield process, (process.stdout.readline().decode().strip() if ready else None)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode().split()


class Hark:
    def __init__(self, folder, text, paused=False, keep=1_000_000, cap=HANDLERS):
        self.folder = folder
        self.config = folder / "hark.toml"
        self.config.write_text(f'log_level = "warn"\nmax_concurrent_handlers = {cap}\nretention_events = {keep}\n' + text)
        begun = time.monotonic()
        self.process = subprocess.Popen([hark, "daemon", "--config", self.config], stderr=subprocess.PIPE, start_new_session=True)
        socket = folder / ".hark/hark.sock"
        while not self.answers():
            pass
        self.ready_ms = (time.monotonic() - begun) * 1000
        assert socket.exists()
        if paused:
            self.command("pause")

    def command(self, *words):
        return subprocess.run([hark, "daemon", *words, "--config", self.config], check=True, capture_output=True).stdout

    def answers(self):
        import socket
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
            try:
                probe.connect(str(self.folder / ".hark/hark.sock"))
                probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return b" 200 " in probe.recv(100)
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(self.process.stderr.read().decode())
                return False

    def status(self):
        return json.loads(self.command("status", "--json"))

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()


@contextlib.contextmanager
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="hark-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


# From a file's close(2) to the handler's first instruction.

def file_hark():
    with folder() as at:
        (at / "watched").mkdir()
        (at / "watched/file").write_text("x")  # before: one that is made and written in one go is made, not modified
        daemon = Hark(at, f"""
[[sources]]
type = "file_change"
path = "watched"
events = ["modify"]
debounce_ms = 0
handler = "h"
[handlers.h]
run = ["{program('stamp')}", "{at}/stamp"]
""")
        try:
            return probe_file(at)
        finally:
            daemon.stop()


def probe_file(at):
    return [float(figure) for figure in output(program("file_probe"), at / "watched/file", at / "stamp", str(options.events))]


def file_floor():
    with folder() as at:
        (at / "watched").mkdir()
        with running(program("file_floor"), at / "watched", program("stamp"), at / "stamp", ready=True):
            return probe_file(at)


def file_inotifywait():
    with folder() as at:
        (at / "watched").mkdir()
        script = f"inotifywait -m -e close_write {at}/watched 2>&1 | while read line; do case $line in *established*) echo ready;; Setting*) ;; *) {program('stamp')} {at}/stamp;; esac; done"
        with running("sh", "-c", script, ready=True):
            return probe_file(at)


def file_incron():
    with folder() as at:
        (at / "watched").mkdir()
        for name in ("system", "user"):
            (at / name).mkdir()
        (at / "allow").write_text("root\n")
        (at / "conf").write_text(f"system_table_dir = {at}/system\nuser_table_dir = {at}/user\nallowed_users = {at}/allow\ndenied_users = {at}/deny\nlockfile_dir = {at}\nlockfile_name = incrond\n")
        (at / "user/root").write_text(f"{at}/watched IN_CLOSE_WRITE {program('stamp')} {at}/stamp\n")
        (at / "user/root").chmod(0o600)
        with running("/usr/sbin/incrond", "-n", "-f", str(at / "conf")):
            time.sleep(1)  # it does not say when it is ready
            return probe_file(at)


# Signed webhooks of 1 KB, accepted per second; and from the post to the handler's first instruction.

def load(port, path, header, connections):
    return float(output(program("http_load"), str(port), path, header, SECRET, str(connections), str(options.seconds))[0])


def hark_webhook(at, handler, paused, keep=1_000_000, cap=HANDLERS):
    """`handler`: its keys, or the command that it runs."""
    daemon = Hark(at, f"""
webhook_port = 0
[[sources]]
type = "webhook"
path = "/hook"
secret = "{SECRET}"
handler = "h"
[handlers.h]
{handler if "=" in handler else "run = " + handler}
""", paused, keep, cap)
    return daemon, daemon.status()["listener"]["port"]


def webhook_hark(connections, paused=True):
    with folder() as at:
        daemon, port = hark_webhook(at, '["/bin/true"]', paused)
        try:
            return load(port, "/hook", "X-Signature", connections)
        finally:
            daemon.stop()


def webhook_floor(connections):
    with folder() as at, running(program("http_floor"), at / "file", SECRET, ready=True) as (_, port):
        return load(port, "/hook", "X-Signature", connections)


@contextlib.contextmanager
def adnanh(at, command):
    (at / "hooks.json").write_text(json.dumps([{
        "id": "hook", "execute-command": command[0], "pass-arguments-to-command": [{"source": "string", "name": word} for word in command[1:]],
        "trigger-rule": {"match": {"type": "payload-hmac-sha256", "secret": SECRET, "parameter": {"source": "header", "name": "X-Signature"}}}}]))
    import socket
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with running("webhook", "-hooks", str(at / "hooks.json"), "-ip", "127.0.0.1", "-port", str(port)):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                pass
        yield port


def webhook_adnanh(connections):
    with folder() as at, adnanh(at, ["/bin/true"]) as port:
        return load(port, "/hooks/hook", "X-Signature", connections)


def post_hark():
    with folder() as at:
        daemon, port = hark_webhook(at, f'["{program("stamp")}", "{at}/stamp"]', False)
        try:
            return [float(f) for f in output(program("http_load"), str(port), "/hook", "X-Signature", SECRET, "--stamp", at / "stamp", str(options.events))]
        finally:
            daemon.stop()


def post_adnanh():
    with folder() as at, adnanh(at, [program("stamp"), f"{at}/stamp"]) as port:
        return [float(f) for f in output(program("http_load"), str(port), "/hooks/hook", "X-Signature", SECRET, "--stamp", at / "stamp", str(options.events))]


def neighbour(flooded):
    """The same of one source, alone or while 64 connections flood another."""
    with folder() as at:
        daemon = Hark(at, f"""
webhook_port = 0
[[sources]]
name = "flooded"
type = "webhook"
path = "/flood"
secret = "{SECRET}"
handler = "nothing"
[[sources]]
name = "neighbour"
type = "webhook"
path = "/hook"
secret = "{SECRET}"
handler = "stamp"
[handlers.nothing]
run = ["/bin/true"]
[handlers.stamp]
run = ["{program("stamp")}", "{at}/stamp"]
""")
        port = str(daemon.status()["listener"]["port"])
        flood = [program("http_load"), port, "/flood", "X-Signature", SECRET, "64", "1000"]
        with running(*flood) if flooded else contextlib.nullcontext():
            try:
                time.sleep(1 if flooded else 0)
                return [float(f) for f in output(program("http_load"), port, "/hook", "X-Signature", SECRET, "--stamp", at / "stamp", str(options.events))]
            finally:
                daemon.stop()


def neighbour_floor(flooded):
    """The least: a receiver that answers once it is on disk, a program that is started then. Beside the flood as many threads start /bin/true as hark may."""
    with folder() as at, running(program("http_floor"), at / "file", SECRET, ready=True) as (_, port), contextlib.ExitStack() as others:
        if flooded:
            others.enter_context(running(program("http_load"), str(port), "/hook", "X-Signature", SECRET, "64", "1000"))
            others.enter_context(running(program("spawn_floor"), "4", "100000000"))
            time.sleep(1)
        return [float(f) for f in output(program("http_load"), str(port), "/hook", "X-Signature", SECRET, "--stamp", at / "stamp", str(options.events), program("stamp"))]


# Handler starts per second of a command that does nothing.

def starts_hark():
    with folder() as at:
        daemon, port = hark_webhook(at, '["/bin/true"]', True)
        try:
            load(port, "/hook", "X-Signature", 8)
            waiting = daemon.status()["queue"]["waiting"]
            begun = time.monotonic()
            daemon.command("resume")
            time.sleep(options.seconds)
            left = daemon.status()["queue"]["waiting"]
            assert left > 0, "the queue ran dry: nothing was measured"
            return (waiting - left) / (time.monotonic() - begun)
        finally:
            daemon.stop()


# A journal that is full of events: how long a start takes, and what memory holds.

def backlog_start(state):
    """Seconds from exec until it answers, and the resident memory then, with that many events whose runs are `state`."""
    with folder() as at:
        webhook = hark_webhook(at, '["/bin/true"]', True)[0]  # makes the journal
        webhook.command("stop")
        webhook.stop()
        journal = at / ".hark/journal.db"
        fill(journal, options.backlog, state)
        # Of waiting ones a handler that takes its time keeps all but a few where they are.
        daemon, _ = hark_webhook(at, '["/bin/sleep", "1000"]', False)
        try:
            return daemon.ready_ms / 1000, resident_mb(daemon.process.pid)
        finally:
            daemon.stop()


def fill(journal, count, state):
    ended = "NULL" if state == "queued" else "t"
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        connection.executescript(f"""
            PRAGMA synchronous = OFF;
            BEGIN;
            CREATE TEMP TABLE numbers AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
              SELECT i, printf('01KAJ4X0Z7%016d', i) AS id, CAST(strftime('%s', 'now') AS INTEGER) * 1000000 AS t FROM n;
            INSERT INTO events (seq, id, type, source, subject, time, topic, correlation_id, causation_id, traceparent, dedupe_key, priority, ttl, data)
              SELECT i, id, 'webhook', 'bench', '', t, '', id, '', '', '', 0, NULL,
              '{{"ref":"refs/heads/main","filler":"' || hex(zeroblob(500)) || '"}}' FROM numbers;
            INSERT INTO decisions SELECT i, 0, t, 'match', 'passed', 'h', 'source ''bench'' names this handler' FROM numbers;
            INSERT INTO runs (seq, id, handler, event_seq, state, attempt, priority, queued, started, finished, error, owner_boot, owner_pid, owner_start, source)
              SELECT i, printf('01KAJ4X0Z8%016d', i), 'h', i, '{state}', 1, 0, t, {ended}, {ended}, '', '', 0, 0, 'bench' FROM numbers;
            COMMIT;
            PRAGMA wal_checkpoint(TRUNCATE);
        """)


def flood():
    """Accepted a second while a backlog grows by webhooks, and the resident memory at its end."""
    with folder() as at:
        daemon, port = hark_webhook(at, '["/bin/true"]', True)
        try:
            waiting, begun = 0, time.monotonic()
            while waiting < options.backlog:
                load(port, "/hook", "X-Signature", 64)
                waiting = daemon.status()["queue"]["waiting"]
            return waiting / (time.monotonic() - begun), resident_mb(daemon.process.pid)
        finally:
            daemon.stop()


def retention():
    """Latency of posts while so many finished events are beyond the retention and go, how long that takes, and the journal's size before and
    after. The same once they are gone is what to compare with."""
    with folder() as at:
        daemon, _ = hark_webhook(at, '["/bin/true"]', False)  # makes the journal
        daemon.command("stop")
        daemon.stop()
        journal = at / ".hark/journal.db"
        fill(journal, options.backlog, "succeeded")
        before = journal.stat().st_size
        daemon, port = hark_webhook(at, f'["{program("stamp")}", "{at}/stamp"]', False, 10_000)
        post = [program("http_load"), str(port), "/hook", "X-Signature", SECRET, "--stamp", at / "stamp"]

        def size():
            with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
                return connection.execute("SELECT count(*) FROM events").fetchone()[0]
        try:
            output(*post, "1000")  # so many events set it off
            begun = time.monotonic()
            while_it_goes = [float(f) for f in output(*post, str(options.events))]
            assert size() > 20_000, "it was over before the end of the measurement: more events are needed (--backlog)"
            while size() > 12_000:
                time.sleep(0.2)
            took = time.monotonic() - begun
            settled = -1
            while settled != journal.stat().st_size:
                settled = journal.stat().st_size
                time.sleep(2)
            return while_it_goes, [float(f) for f in output(*post, str(options.events))], took, before, settled
        finally:
            daemon.stop()


def syncs():
    """fdatasync(2) of 4 KiB a second, in a file that has its size already, as a -wal that begins anew: what one durable answer at a time
    is bounded by."""
    with folder() as at:
        fd = os.open(at / "file", os.O_WRONLY | os.O_CREAT)
        try:
            os.write(fd, bytes(64 * 1024 * 1024))
            os.fsync(fd)
            os.lseek(fd, 0, os.SEEK_SET)
            count, begun = 0, time.monotonic()
            while time.monotonic() - begun < options.seconds:
                os.write(fd, bytes(4096))
                os.fdatasync(fd)
                count += 1
            return count / (time.monotonic() - begun)
        finally:
            os.close(fd)


def starts_under_load():
    """Runs that ended a second while 64 connections post as fast as they are answered; none may be lost, and no more may run than the cap."""
    with folder() as at:
        daemon, port = hark_webhook(at, '["/bin/true"]', False)
        try:
            begun = time.monotonic()
            accepted = load(port, "/hook", "X-Signature", 64) * options.seconds
            waiting = daemon.status()["queue"]["waiting"]
            return (accepted - waiting) / (time.monotonic() - begun)
        finally:
            daemon.stop()


def starts_floor(threads=HANDLERS):
    return float(output(program("spawn_floor"), str(threads), "5000")[0])


def starts_floor_under_load():
    """The least a runner does, beside the least a receiver does under the same posts."""
    with folder() as at, running(program("http_floor"), at / "file", SECRET, ready=True) as (_, port):
        with running(program("http_load"), str(port), "/hook", "X-Signature", SECRET, "64", "1000"):
            time.sleep(1)
            return starts_floor()


# Schedules.

@contextlib.contextmanager
def stamps_in(at):
    import socket
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as stamps:
        stamps.bind(str(at / "stamp"))
        stamps.settimeout(10)
        yield stamps


def late_by(stamps):
    """(p50, max) of microseconds from a second's begin to each stamp."""
    late = []
    for _ in range(15):
        stamp = int.from_bytes(stamps.recv(8), "little")
        real = stamp + time.time_ns() - time.monotonic_ns()
        late.append(real % 1_000_000_000 / 1000)
    late = late[2:]
    return statistics.median(late), max(late)


def lateness_floor():
    with folder() as at, stamps_in(at) as stamps, running(program("slot_floor"), program("stamp"), at / "stamp"):
        return late_by(stamps)


def lateness(loaded):
    """Of what a schedule starts."""
    with folder() as at, stamps_in(at) as stamps:
        daemon = Hark(at, f"""
webhook_port = 0
[[sources]]
type = "schedule"
cron = "* * * * * *"
handler = "h"
[[sources]]
name = "flooded"
type = "webhook"
path = "/hook"
secret = "{SECRET}"
rate_limit = "1000000/s"
handler = "busy"
[handlers.h]
run = ["{program('stamp')}", "{at}/stamp"]
[handlers.busy]
run = "true"
""")
        try:
            daemon.command("pause", "--handler", "busy")
            flood = None
            if loaded:
                port = daemon.status()["listener"]["port"]
                flood = subprocess.Popen([program("http_load"), str(port), "/hook", "X-Signature", SECRET, "64", "60"], stdout=subprocess.DEVNULL, start_new_session=True)
            late = late_by(stamps)
            if flood:
                flood.kill()
                flood.wait()
            return late
        finally:
            daemon.stop()


def many_schedules():
    """(s to ready, MB, descriptors, CPU seconds in 20 s) with 10,000 schedules of which none is due."""
    with folder() as at:
        sources = "".join(f'[[sources]]\nname = "s{number}"\ntype = "schedule"\ncron = "{number % 60} {number // 60 % 24} 1 1 *"\ntimezone = "Europe/Berlin"\nhandler = "h"\n' for number in range(10_000))
        daemon = Hark(at, sources + '[handlers.h]\nrun = "true"\n')
        try:
            time.sleep(1)
            before = cpu_seconds(daemon.process.pid)
            time.sleep(20)
            descriptors = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
            return daemon.ready_ms / 1000, resident_mb(daemon.process.pid), descriptors, cpu_seconds(daemon.process.pid) - before
        finally:
            daemon.stop()


# At rest.

def idle():
    with folder() as at:
        (at / "watched").mkdir()
        daemon = Hark(at, f"""
webhook_port = 0
[[sources]]
type = "file_change"
path = "watched"
handler = "h"
[[sources]]
type = "webhook"
path = "/hook"
secret = "{SECRET}"
handler = "h"
[[sources]]
type = "schedule"
cron = "@daily"
handler = "h"
[handlers.h]
run = "true"
""")
        try:
            time.sleep(1)
            before = cpu_seconds(daemon.process.pid)
            time.sleep(20)
            used = cpu_seconds(daemon.process.pid) - before
            return daemon.ready_ms, resident_mb(daemon.process.pid), used
        finally:
            daemon.stop()


def resident_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rounds(candidates):
    """Name -> list of results, all candidates in each round."""
    results = {name: [] for name in candidates}
    for _ in range(options.rounds):
        for name, measure in candidates.items():
            results[name].append(measure())
    return results


def print_row(name, figure, unit, ratio):
    print(f"  {name:<34}{figure:>12} {unit:<6}{ratio}", flush=True)


def latency_table(title, candidates, floor):
    print(title, flush=True)
    results = rounds(candidates)
    for name, pairs in results.items():
        ratio = statistics.median(p[0] / f[0] for p, f in zip(pairs, results[floor])) if floor else None
        print_row(name, f"{statistics.median(p[0] for p in pairs):.0f}", "µs p50", f"  p99 {statistics.median(p[1] for p in pairs):.0f} µs" + (f"   {ratio:.2f} x {floor}" if ratio else ""))


def rate_table(title, candidates, floor):
    print(title, flush=True)
    results = rounds(candidates)
    for name, rates in results.items():
        ratio = statistics.median(r / f for r, f in zip(rates, results[floor]))
        print_row(name, f"{statistics.median(rates):,.0f}", "/s", f"   {ratio:.2f} x {floor}")


def have(*names):
    return all(shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") for name in names)


print(f"{os.cpu_count()} cores, {os.uname().sysname} {os.uname().release}, medians of {options.rounds} rounds")
only = options.only.split(",")
if "file" in only:
    candidates = {"floor": file_floor, "hark": file_hark}
    if have("inotifywait"):
        candidates["inotifywait | while read"] = file_inotifywait
    if have("incrond") and os.geteuid() == 0:
        candidates["incron"] = file_incron
    latency_table(f"\nFrom close(2) to the handler's first instruction ({options.events} events, debounce 0)", candidates, "floor")
if "webhook" in only:
    print()
    print_row("fdatasync of 4 KiB, in place", f"{statistics.median(syncs() for _ in range(options.rounds)):,.0f}", "/s", "")
    for connections in (1, 8, 64):
        candidates = {"floor": lambda: webhook_floor(connections), "hark, handler paused": lambda: webhook_hark(connections)}
        if connections == 64:
            candidates["hark, handler running"] = lambda: webhook_hark(connections, paused=False)
        if have("webhook"):
            candidates["webhook (adnanh; nothing durable)"] = lambda: webhook_adnanh(connections)
        rate_table(f"\nSigned 1 KB webhooks accepted on disk, {connections} connection{'s' if connections > 1 else ''}", candidates, "floor")
    candidates = {"hark": post_hark}
    if have("webhook"):
        candidates["webhook (adnanh)"] = post_adnanh
    latency_table(f"\nFrom the post to the handler's first instruction ({options.events} events)", candidates, "webhook (adnanh)" if have("webhook") else None)
    latency_table("\nThe same while 64 connections flood another source, and handlers run for those", {"hark, alone": lambda: neighbour(False), "hark": lambda: neighbour(True),
                  "floor, alone": lambda: neighbour_floor(False), "floor": lambda: neighbour_floor(True)}, "floor")
if "starts" in only:
    rate_table(f"\nStarts of /bin/true, {HANDLERS} at once", {"floor": starts_floor, "hark": starts_hark}, "floor")
    rate_table("\nThe same while 64 connections post", {"floor": starts_floor_under_load, "hark": starts_under_load}, "floor")
if "pipelines" in only:
    bench = pipelines.Pipelines(folder, lambda at, handler, cap: hark_webhook(at, handler, True, cap=cap), lambda port: load(port, "/hook", "X-Signature", 8), starts_floor, options.seconds)
    pipelines.run(bench, options.rounds, resident_mb, print_row)
if "bus" in only:
    def bus_daemon(at):
        return Hark(at, "webhook_port = 0\n")
    def with_webhooks(at):
        return hark_webhook(at, '["/bin/true"]', False, keep=10_000, cap=4)
    bus.run(bus.Bench(folder, bus_daemon, with_webhooks, running, program("bus_load"), program("http_load"), SECRET, resident_mb, options.seconds), options.rounds, have, print_row)
if "monitoring" in only:
    monitoring.run(folder, Hark, lambda subscribers: float(output(program("lifecycle_cost"), str(subscribers))[0]), options.rounds, print_row)
if "trees" in only:
    trees.run(hark, programs, options.rounds, statistics.median, print_row)
if "route" in only:
    print("\nEvents routed, filtered, keyed, queued and taken on one core")
    for rules in (10, 1000, 10_000):
        figures = [float(output(program("route_rate"), str(rules))[0]) for _ in range(options.rounds)]
        print_row(f"with {rules:,} sources and rules", f"{statistics.median(figures):,.0f}", "/s", "")
if "schedules" in only:
    print("\nSchedules")
    for line in subprocess.run([program("cron_next")], check=True, capture_output=True, text=True).stdout.splitlines():
        nanoseconds, expression = line.split(" ", 1)
        print_row(f"the next fire of {expression}", nanoseconds, "ns", "")
    figures = {"a second's begin to first instruction": [], "… while 64 connections post": [], "floor: sleep, posix_spawn": []}
    for _ in range(options.rounds):
        for found, measure in zip(figures.values(), (lambda: lateness(False), lambda: lateness(True), lateness_floor)):
            found.append(measure())
    for name, figures in figures.items():
        print_row(name, f"{statistics.median(f[0] for f in figures):.0f}", "µs p50", f"  at the most {max(f[1] for f in figures):.0f} µs")
    ready, resident, descriptors, used = many_schedules()
    print_row("10,000 schedules: start to ready", f"{ready:.2f}", "s", f"   {resident:.0f} MB resident, {descriptors} descriptors, {used * 1000:.0f} ms of CPU in 20 s")
if "idle" in only:
    ready, resident, used = idle()
    print("\nAt rest")
    print_row("start to ready", f"{ready:.0f}", "ms", "")
    print_row("resident memory", f"{resident:.1f}", "MB", "")
    print_row("CPU in 20 s", f"{used * 1000:.0f}", "ms", "")
if "backlog" in only:
    print(f"\nA backlog of {options.backlog:,} events of 1 KB")
    for name, state in (("start to ready, all of them waiting", "queued"), ("start to ready, all of them finished", "succeeded")):
        ready, resident = backlog_start(state)
        print_row(name, f"{ready:.2f}", "s", f"   {resident:.0f} MB resident")
    during, afterwards, took, before, after = retention()
    print_row("post to first instruction, retention", f"{during[0]:.0f}", "µs p50", f"  p99 {during[1]:.0f} µs while all of them go; {afterwards[0]:.0f} and {afterwards[1]:.0f} µs when they are gone")
    print_row("they are gone after", f"{took:.0f}", "s", f"   the journal's {before / 1e6:,.0f} MB are {after / 1e6:,.0f} MB")
    rate, resident = flood()
    print_row("accepted while it grows", f"{rate:,.0f}", "/s", f"   {resident:.0f} MB resident at its end")
