"""The bus beside Redis Streams, which writes each append to the disk before it answers as hark does, and NATS' JetStream, which writes it to a
file and leaves the disk to the system."""

import contextlib
import dataclasses
import pathlib
import socket
import statistics
import subprocess

CLIENTS = (1, 8, 64)
WAITERS = (1, 100, 500)
STREAMS = 500


def free_port():
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answered(port, question, answer):
    """Whether a server there gives this answer by now."""
    try:
        with contextlib.closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
            connection.settimeout(5)
            connection.sendall(question)
            received = b""
            while answer not in received:
                more = connection.recv(4096)
                if not more:
                    return False
                received += more
            return True
    except OSError:
        return False


@contextlib.contextmanager
def redis(bench):
    port = free_port()
    with bench.folder() as at, bench.running("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(at), "--save", "",
                                             "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"):
        while not answered(port, b"PING\r\n", b"+PONG"):
            pass
        yield port


@contextlib.contextmanager
def nats(bench):
    port = free_port()
    server = "/usr/sbin/nats-server" if pathlib.Path("/usr/sbin/nats-server").exists() else "nats-server"
    stream = b'{"name":"bench","subjects":["bench"],"storage":"file"}'
    create = b"SUB made 1\r\nPUB $JS.API.STREAM.CREATE.bench made " + str(len(stream)).encode() + b"\r\n" + stream + b"\r\n"
    with bench.folder() as at, bench.running(server, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(at)):
        while not answered(port, b"CONNECT {\"verbose\":false}\r\n" + create, b"stream_create_response"):
            pass
        yield port


@contextlib.contextmanager
def hark(bench):
    with bench.folder() as at:
        daemon = bench.start(at)
        try:
            yield daemon.status()["listener"]["port"]
        finally:
            daemon.stop()


@dataclasses.dataclass
class Bench:
    folder: object
    start: object  # a daemon from a folder
    webhooks: object  # another that takes webhooks, and its port
    running: object  # a process that is ended with its children
    load: str
    flood: str
    secret: str
    resident_mb: object
    seconds: float


def figures(bench, protocol, server, *words):
    with server(bench) as port:
        return [float(figure) for figure in subprocess.run([bench.load, protocol, str(port), *map(str, words)], check=True, stdout=subprocess.PIPE).stdout.split()]


def held(bench, seconds):
    """(events, p50, p99, most) in µs of streams and polls that read along together while 64 connections post webhooks, whose handler runs;
    the webhooks accepted a second; and the daemon's memory. Everything at its default. One that gets an event twice or not at all ends it."""
    with bench.folder() as at:
        daemon, port = bench.webhooks(at)
        try:
            with subprocess.Popen([bench.flood, str(port), "/hook", "X-Signature", bench.secret, "64", str(seconds)], stdout=subprocess.PIPE) as flood:
                words = [bench.load, "hark", str(port), "hold", str(STREAMS), str(seconds)]
                figures = [float(figure) for figure in subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout.split()]
                rate = float(flood.communicate()[0])
            return figures, rate, bench.resident_mb(daemon.process.pid)
        finally:
            daemon.stop()


def run(bench, rounds, have, print_row):
    servers = {"hark": hark}
    if have("redis-server"):
        servers["redis"] = redis
    if have("nats-server"):
        servers["nats"] = nats
    names = {"hark": "hark", "redis": "Redis, appendfsync always", "nats": "NATS JetStream (no fsync)"}

    def taken(*words):
        results = {name: [] for name in servers}
        for _ in range(rounds):
            for name, server in servers.items():
                results[name].append(figures(bench, name, server, *words))
        return results

    def ratio(results, name, column):
        if "redis" not in results or name == "redis":
            return ""
        return f"   {statistics.median(own[column] / peer[column] for own, peer in zip(results[name], results['redis'])):.2f} x Redis"

    for clients in CLIENTS:
        print(f"\nEvents of 1 KB published, {clients} client{'s' if clients > 1 else ''}", flush=True)
        results = taken("publish", clients, bench.seconds)
        for name, rates in results.items():
            print_row(names[name], f"{statistics.median(rate[0] for rate in rates):,.0f}", "/s", ratio(results, name, 0))
    for what, title, many in (("wait", "From the publish to a waiter, {} waiting", WAITERS), ("stream", "From the publish to the last of {} streams", (STREAMS,))):
        for readers in many:
            print("\n" + title.format(readers), flush=True)
            results = taken(what, readers, 200 if readers < 100 else 40)
            for name, times in results.items():
                print_row(names[name], f"{statistics.median(time[0] for time in times):,.0f}", "µs p50", f"  p99 {statistics.median(time[1] for time in times):,.0f} µs" + ratio(results, name, 0))
    print(f"\n{STREAMS} streams and {STREAMS} polls while 64 connections post webhooks, 60 s", flush=True)
    (events, p50, p99, most), rate, resident = held(bench, 60)
    print_row("publish to a reader", f"{p50:,.0f}", "µs p50", f"  p99 {p99:,.0f} µs, at the most {most:,.0f} µs; {events:.0f} events, each read once by all")
    print_row("webhooks accepted meanwhile", f"{rate:,.0f}", "/s", f"   {resident:.0f} MB resident")
