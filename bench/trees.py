"""Large trees: from a watcher's start to the first change it tells, its memory then, and what it tells of a burst of files. Each candidate
writes what it tells to a file, a line a path or a document of JSON, but for hark, whose journal is read."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

FILES = 100_000
BURST_FOLDERS, BURST_FILES = 1000, 50

CHOKIDAR = """
const { watch } = require('chokidar');
const { writeSync } = require('fs');
const watcher = watch(process.argv[2], { ignoreInitial: true, persistent: true });
watcher.on('all', (event, path) => { if (event === 'add' || event === 'change') writeSync(1, path + '\\n'); });
"""


def make_tree(root, folders):
    for number in range(folders):
        folder = root / f"d{number // 100:04}" / f"s{number % 100:02}"
        folder.mkdir(parents=True)
        for file in range(FILES // folders):
            (folder / f"file{file:03}.txt").touch()


class Teller:
    """A command that writes what it notices to its standard output."""

    pause = 0.002  # between two writes of the file that is to be noticed

    def __init__(self, folder, *command, **more):
        self.told = folder / "told"
        self.process = subprocess.Popen(command, stdout=self.told.open("w"), stderr=subprocess.DEVNULL, start_new_session=True, **more)
        self.pid = self.process.pid

    def has_told(self):
        return self.told.stat().st_size > 0

    def paths(self):
        return self.told.read_text(errors="replace").split("\n")

    def last(self):
        return self.told.stat().st_mtime

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Watchman(Teller):
    pause = 0.05  # it tells when nothing happened for 20 ms

    def __init__(self, folder, root):
        place = [f"--sockname={folder}/sock", f"--statefile={folder}/state", f"--logfile={folder}/log", f"--pidfile={folder}/pid"]
        self.server = subprocess.Popen(["watchman", "--foreground", *place], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        while not (folder / "sock").exists():
            time.sleep(0.005)
        subprocess.run(["watchman", place[0], "--no-spawn", "watch", str(root)], check=True, stdout=subprocess.DEVNULL)
        request = json.dumps(["subscribe", str(root), "s", {"fields": ["name", "type"], "empty_on_fresh_instance": True}])
        super().__init__(folder, "watchman", place[0], "--no-spawn", "-j", "-p", "--no-pretty", stdin=subprocess.PIPE)
        self.process.stdin.write(request.encode() + b"\n")
        self.process.stdin.flush()
        self.pid = self.server.pid

    def paths(self):
        names = []
        for line in self.told.read_text().splitlines():
            for file in json.loads(line).get("files") or []:
                if file["type"] == "f":
                    names.append(file["name"])
        return names

    def has_told(self):
        return any(self.paths())

    def stop(self):
        super().stop()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()


class Hark:
    pause = Teller.pause

    def __init__(self, folder, root, hark, more=""):
        self.folder = folder
        (folder / "hark.toml").write_text(f"""
retention_events = 1000000
[[sources]]
name = "tree"
type = "file_change"
path = "{root}"
debounce_ms = 0
handler = "h"
{more}
[handlers.h]
run = "echo > {folder}/noticed"
on_busy = "drop"
""")
        (folder / "noticed").unlink(missing_ok=True)
        self.process = subprocess.Popen([hark, "daemon", "--config", folder / "hark.toml"], stderr=subprocess.DEVNULL, start_new_session=True)
        self.pid = self.process.pid

    def has_told(self):
        return (self.folder / "noticed").exists()

    def events(self):
        journal = sqlite3.connect(f"file:{self.folder}/.hark/journal.db?mode=ro", uri=True)
        return journal.execute("SELECT data, time FROM events").fetchall()

    def paths(self):
        return [change["path"] for data, _ in self.events() for change in json.loads(data)["changes"]]

    def last(self):
        return max((at / 1e6 for _, at in self.events()), default=0)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def tellers(hark, programs, node_modules):
    """Name -> function of a folder for its own things and the root."""
    candidates = {
        "floor (readdir, inotify_add_watch)": lambda at, root: Teller(at, f"{programs}/bench_tree_floor", str(root)),
        "hark": lambda at, root: Hark(at, root, hark),
        "hark, catch_up": lambda at, root: Hark(at, root, hark, "catch_up = true"),
    }
    if shutil.which("inotifywait"):
        candidates["inotifywait -m -r"] = lambda at, root: Teller(at, "inotifywait", "-mrq", "-e", "close_write", "--format", "%w%f", str(root))
    if shutil.which("watchman"):
        candidates["watchman"] = Watchman
    if (node_modules / "chokidar").exists() and shutil.which("node"):
        candidates["chokidar"] = lambda at, root: Teller(at, "node", "-e", CHOKIDAR, "-", str(root), env=os.environ | {"NODE_PATH": str(node_modules)})
    return candidates


def resident_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def first_noticed(make, at, root):
    """(milliseconds, MB): a file is written again and again until the candidate tells of a change."""
    begun = time.monotonic()
    teller = make(at, root)
    try:
        target = root / "d0000" / "s00" / "file000.txt"
        while not teller.has_told():
            target.write_text("x")
            time.sleep(teller.pause)
            if time.monotonic() - begun > 60:
                return float("nan"), float("nan")
        return (time.monotonic() - begun) * 1000, resident_mb(teller.pid)
    finally:
        teller.stop()


def burst(make, at, root):
    """(share told, told again, ms from the burst's end to the last report)."""
    for number in range(BURST_FOLDERS // 2):
        (root / f"old{number // 25:02}" / f"d{number % 25:02}").mkdir(parents=True)
    (root / "d0000" / "s00").mkdir(parents=True)
    teller = make(at, root)
    try:
        while not teller.has_told():  # it watches
            (root / "d0000" / "s00" / "file000.txt").write_text("x")
            time.sleep(max(teller.pause, 0.01))
        wanted = set()
        for number in range(BURST_FOLDERS):
            old = number < BURST_FOLDERS // 2
            folder = root / (f"old{number // 25:02}/d{number % 25:02}" if old else f"new{number // 100}/n{number % 10}/m{number:04}")
            folder.mkdir(parents=True, exist_ok=True)
            for file in range(BURST_FILES):
                path = folder / f"burst{file:02}"
                path.write_text("x")
                wanted.add(str(path.relative_to(root)))
        end = time.time()
        told, before = teller.paths(), -1
        while len(told) != before:
            before = len(told)
            time.sleep(1.5)
            told = teller.paths()
        relative = [path.removeprefix(f"{root}/") for path in told if "burst" in path]
        return len(wanted & set(relative)) / len(wanted), len(relative) - len(set(relative)), (teller.last() - end) * 1000
    finally:
        teller.stop()


def run(hark, programs, rounds, median, print_row):
    node_modules = programs.parent / "node_modules"
    candidates = tellers(hark, programs, node_modules)
    with tempfile.TemporaryDirectory(prefix="hark-bench-trees-") as name:
        place = pathlib.Path(name)
        for folders in (10_000, 50_000):
            root = place / f"tree{folders}"
            make_tree(root, folders)
            homes = {each: place / f"home{folders}-{number}" for number, each in enumerate(candidates)}
            results = {each: [] for each in candidates}
            for turn in range(rounds + 1):  # the first is for the kernel's caches, and for what is kept between two starts
                for each, make in candidates.items():
                    homes[each].mkdir(exist_ok=True)
                    if each == "watchman":
                        shutil.rmtree(homes[each])
                        homes[each].mkdir()
                    measured = first_noticed(make, homes[each], root)
                    if turn > 0:
                        results[each].append(measured)
            print(f"\nFrom the start to the first change noticed, {FILES:,} files in {folders:,} folders", flush=True)
            floor = results["floor (readdir, inotify_add_watch)"]
            for each, measured in results.items():
                ratio = median(one[0] / least[0] for one, least in zip(measured, floor))
                print_row(each, f"{median(one[0] for one in measured):,.0f}", "ms", f"   {ratio:.2f} x floor   {median(one[1] for one in measured):.1f} MB resident")
            shutil.rmtree(root)
        print(f"\nA burst of {BURST_FOLDERS * BURST_FILES:,} new files in {BURST_FOLDERS:,} folders, half of these new as well", flush=True)
        for each, make in candidates.items():
            if each.startswith("floor"):
                continue
            results = []
            for turn in range(rounds):
                with tempfile.TemporaryDirectory(prefix="hark-bench-burst-") as at:
                    (pathlib.Path(at) / "root").mkdir()
                    results.append(burst(make, pathlib.Path(at), pathlib.Path(at) / "root"))
            print_row(each, f"{median(one[0] for one in results) * 100:.1f}", "% told", f"   {median(one[1] for one in results):,.0f} told again, the last {median(one[2] for one in results):,.0f} ms after the end")
