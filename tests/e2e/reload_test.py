"""Another configuration while the daemon runs: all of it or nothing, and no run, event, slot or descriptor is lost on the way."""

import http.client
import json
import os
import shutil
import signal
import socket
import threading
import time
import unittest

from support import DEADLINE, TestCase, gone


def handler(name, run, more=""):
    return f"[handlers.{name}]\nrun = {json.dumps(run)}\n{more}\n"


def source(name, kind, more, handler="h"):
    return f'[[sources]]\nname = "{name}"\ntype = "{kind}"\nhandler = "{handler}"\n{more}\n'


def webhook(name, path, more="unsigned = true", handler="h"):
    return source(name, "webhook", f'path = "{path}"\n{more}', handler)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_taken_over(line):
    return ": the configuration was read again: " in line["message"] or line["message"].endswith("says what it said before")


def is_refused(line):
    return "the configuration is refused" in line["message"]


class ReloadCase(TestCase):
    def reload(self, daemon, text=None, wanted=is_taken_over, **options):
        """By SIGHUP; returns the line that says what came of it."""
        if text is not None:
            daemon.project.configure(text, **options)
        daemon.process.send_signal(signal.SIGHUP)
        return daemon.wait_for(wanted)["message"]


    @staticmethod
    def events(project):
        return [entry["event"] for entry in json.loads(project.hark("history", "--events", "--json", "--limit", "1000").stdout)["events"]]


class Handlers(ReloadCase):
    def test_a_run_ends_as_it_began_and_the_next_one_has_the_new_handler(self):
        def text(version):
            return ('[[handlers.h.steps]]\nname = "first"\nrun = "echo $$ >> pids; read line < gate"\n'
                    f'[[handlers.h.steps]]\nname = "second"\nrun = "echo {version}"\n')

        project = self.project(text("old"))
        os.mkfifo(project.path / "gate")
        daemon = self.daemon(project)
        project.hark("daemon", "trigger", "--handler", "h")
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        said = self.reload(daemon, handler("h", "echo new"))
        self.assertEqual(said, "SIGHUP: the configuration was read again: handlers: ~h")
        project.hark("daemon", "trigger", "--handler", "h", "--wait")
        self.assertEqual([run["state"] for run in project.runs()], ["succeeded", "running"])
        self.assertEqual(project.run_output(project.runs()[0]["id"]), "new\n")
        first = project.runs(state="running")[0]["id"]
        (project.path / "gate").write_text("go\n")
        daemon.wait_for(lambda line: line.get("name") == "run:complete" and line.get("run") == first)
        self.assertEqual([run["state"] for run in project.runs()], ["succeeded", "succeeded"])
        self.assertEqual(project.run_output(project.runs()[1]["id"], step=1), "old\n")

    def test_a_run_goes_on_when_its_handler_is_gone(self):
        project = self.project(handler("slow", "echo $$ > pid; read line < gate") + handler("h", "true"))
        os.mkfifo(project.path / "gate")
        daemon = self.daemon(project)
        project.hark("daemon", "trigger", "--handler", "slow")
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        self.reload(daemon, handler("h", "true"))
        self.assertIn("no such handler", project.hark("daemon", "trigger", "--handler", "slow", status=1).stderr)
        (project.path / "gate").write_text("go\n")
        daemon.wait_run("slow")
        self.assertTrue(gone(int((project.path / "pid").read_text())))

    def test_more_run_at_once_when_more_may(self):
        text = "max_concurrent_handlers = {}\n" + handler("h", "touch here.$$; read line < gate")
        project = self.project(text.format(1))
        os.mkfifo(project.path / "gate")
        daemon = self.daemon(project)
        for _ in range(3):
            project.hark("daemon", "trigger", "--handler", "h")
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        self.assertEqual(daemon.status()["queue"]["waiting"], 2)
        self.reload(daemon, text.format(3))
        deadline = time.monotonic() + DEADLINE
        while len(list(project.path.glob("here.*"))) < 3:
            self.assertLess(time.monotonic(), deadline)


class Sources(ReloadCase):
    def test_what_is_gathered_stays_and_starts_the_new_handler(self):
        def text(version):
            return "webhook_port = 0\n" + webhook("in", "/in", 'unsigned = true\nbatch = {max = 2, within = "1h"}') + handler("h", f"echo {version}")

        project = self.project(text("old"))
        daemon = self.daemon(project)
        self.assertEqual(daemon.request("POST", "/in", '{"n": 1}', {"Content-Type": "application/json"})[0], 202)
        self.reload(daemon, text("new"))
        self.assertEqual(daemon.status()["queue"]["held"], 1)
        self.assertEqual(daemon.request("POST", "/in", '{"n": 2}', {"Content-Type": "application/json"})[0], 202)
        run = daemon.wait_run("h")
        self.assertEqual(project.run_output(run["run"]), "new\n")
        self.assertEqual(len(project.runs()), 1)

    def test_a_change_that_a_watcher_has_seen_is_not_lost_when_it_is_replaced(self):
        def text(pattern):
            return source("code", "file_change", f'path = "src"\npattern = ["{pattern}"]\ndebounce = "1s"') + handler("h", "echo {files}")

        os.mkdir(os.path.join(self.folder, "src"))
        project = self.project(text("*.c"))
        daemon = self.daemon(project)
        project.configure(text("*"))
        (project.path / "src/a.c").write_text("x")
        self.assertTrue(self.reload(daemon).endswith("sources: ~code"))
        self.assertEqual(project.run_output(daemon.wait_run("h")["run"]), f"{project.path}/src/a.c\n")

    def test_no_file_is_missed_between_a_watcher_and_the_next(self):
        def text(debounce):
            return source("code", "file_change", f'path = "src"\ndebounce = "{debounce}"') + handler("h", "true")

        os.mkdir(os.path.join(self.folder, "src"))
        project = self.project(text("20ms"))
        daemon = self.daemon(project)
        made, done = [], threading.Event()

        def make():
            while not done.wait(0.002):
                made.append(f"src/{len(made)}")
                (project.path / made[-1]).touch()

        maker = threading.Thread(target=make)
        maker.start()
        for number in range(30):
            project.configure(text(f"{20 + number % 2}ms"))
            self.reload(daemon)
        done.set()
        maker.join()

        def told():
            events = json.loads(project.hark("history", "--events", "-n", "1000", "--json").stdout)["events"]
            return {file for each in events for file in each["event"]["data"]["files"]}

        wanted = {f"{project.path}/{name}" for name in made}
        deadline = time.monotonic() + DEADLINE
        while missing := wanted - told():
            self.assertLess(time.monotonic(), deadline, f"{len(missing)} of {len(wanted)} were never told")

    def test_a_path_goes_from_one_webhook_to_another_and_a_source_that_is_the_same_is_not_touched(self):
        same = webhook("same", "/same", 'unsigned = true\nrate_limit = "1/d"')
        text = "webhook_port = 0\n" + same + "{}" + handler("h", "true")
        project = self.project(text.format(webhook("a", "/x") + webhook("b", "/y")))
        daemon = self.daemon(project)
        json_type = {"Content-Type": "application/json"}
        self.assertEqual(daemon.request("POST", "/same", "{}", json_type)[0], 202)
        daemon.wait_run("h")
        said = self.reload(daemon, text.format(webhook("c", "/x") + webhook("b", "/z")))
        self.assertTrue(said.endswith("sources: +c, ~b, -a"), said)
        for path, status in (("/x", 202), ("/y", 404), ("/z", 202), ("/same", 429)):  # it still counts
            self.assertEqual(daemon.request("POST", path, "{}", json_type)[0], status, path)
        for _ in range(2):
            daemon.wait_run("h")
        self.assertEqual(sorted(event["source"] for event in self.events(project)), ["b", "c", "same"])
        self.assertEqual([s["state"] for s in daemon.status()["sources"]], ["running"] * 3)
        self.assertNotIn("same", [line.get("source") for line in daemon.log if line.get("name") == "source:stopped"])

    def test_the_port_changes_and_one_that_is_taken_changes_nothing(self):
        old, new = free_port(), free_port()
        text = "webhook_port = {}\n" + webhook("in", "/in") + handler("h", "{}")
        project = self.project(text.format(old, "true"))
        daemon = self.daemon(project)
        self.assertEqual(daemon.port, old)
        self.reload(daemon, text.format(new, "true"))
        self.assertEqual(daemon.port, new)
        self.assertEqual(daemon.request("POST", "/in", "{}", {"Content-Type": "application/json"})[0], 202)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", old))
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", old))
            holder.listen()
            self.reload(daemon, text.format(old, "false"), wanted=is_refused)
            self.assertIn(f"cannot listen on 127.0.0.1:{old}", daemon.wait_for(lambda line: line["level"] == "error")["message"])
            self.assertEqual(daemon.port, new)
            project.hark("daemon", "trigger", "--handler", "h", "--wait", "--socket", str(project.path / ".hark/hark.sock"))
        self.reload(daemon)
        self.assertEqual(daemon.port, old)
        self.reload(daemon, handler("h", "true"))  # no webhook, no port: nobody listens
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", old))

    def test_a_connection_from_before_has_no_more_rights_than_one_from_now(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))
            except OSError:
                self.skipTest("this machine has no address but loopback")
            address = probe.getsockname()[0]
        text = 'webhook_host = "{}"\nwebhook_port = {}\n' + webhook("in", "/in") + handler("h", "true") + '[api]\nkey = "0123456789abcdef0123456789abcdef"\n'
        wide, narrow = free_port(), free_port()
        daemon = self.daemon(self.project(text.format("0.0.0.0", wide)))
        connection = http.client.HTTPConnection(address, wide, timeout=DEADLINE)
        self.addCleanup(connection.close)

        def status():
            connection.request("GET", "/api/status")
            response = connection.getresponse()
            response.read()
            return response.status

        self.assertEqual(status(), 401)
        self.reload(daemon, text.format("127.0.0.1", narrow))
        self.assertEqual(status(), 401)
        self.assertEqual(daemon.request("GET", "/api/status")[0], 200)

    def test_another_secret_in_the_same_file_is_another_configuration(self):
        text = "webhook_port = 0\n" + webhook("in", "/in", 'secret_file = "secret"') + handler("h", "true")
        secret = os.path.join(self.folder, "secret")

        def write(words):
            with open(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(words)

        write("the old words")
        daemon = self.daemon(self.project(text))
        self.assertEqual(daemon.post_signed("/in", {}, "the old words")[0], 202)
        write("the new words")
        self.assertTrue(self.reload(daemon).endswith("sources: ~in; settings: secrets"))
        self.assertEqual(daemon.post_signed("/in", {}, "the new words")[0], 202)
        self.assertEqual(daemon.post_signed("/in", {}, "the old words")[0], 401)
        self.assertNotIn("words", daemon.text())

    def test_no_slot_is_missed_and_none_comes_twice(self):
        def text(number):
            schedule = 'cron = "* * * * * *"\n'
            return (source("same", "schedule", schedule) + source("other", "schedule", schedule + f"catch_up_limit = {number % 2 + 1}") +
                    handler("h", "true", f"max_concurrent = {number % 2 + 1}"))

        project = self.project(text(0))
        daemon = self.daemon(project)
        reloads = slots = 0
        while reloads < 20 or slots < 10:  # two schedules, five seconds
            reloads += 1
            self.reload(daemon, text(reloads))
            slots = sum(line.get("name") == "run:complete" for line in daemon.log)
        daemon.stop()
        events = self.events(project)
        for name in ("same", "other"):
            seen = sorted(event["subject"] for event in events if event["source"] == name)
            seconds = [int(subject[11:13]) * 3600 + int(subject[14:16]) * 60 + int(subject[17:19]) for subject in seen]
            wanted = [(seconds[0] + n) % 86400 for n in range(len(seconds))]
            self.assertEqual(sorted(seconds), sorted(wanted), f"{name} after {reloads} reloads")

    def test_a_new_plan_does_not_catch_up_on_what_nobody_had_planned(self):
        project = self.project(source("s", "schedule", 'cron = "0 0 1 1 *"\ncatch_up = "all"') + handler("h", "true"))
        os.mkdir(project.path / ".hark", 0o700)
        (project.path / ".hark/state.json").write_text(json.dumps({"version": 1, "handlers": {}, "schedules": {"s": {"last_slot": "2020-01-01T00:00:00Z"}}}))
        (project.path / ".hark/state.json").chmod(0o600)
        daemon = self.daemon(project)
        daemon.wait_run("h")  # New Year's Day, again and again: that was planned
        self.reload(daemon, source("s", "schedule", 'cron = "0 0 2 1 *"\ncatch_up = "all"') + handler("h", "true"))
        self.reload(daemon, source("s", "schedule", 'cron = "* * * * * *"\ncatch_up = "all"') + handler("h", "true"))
        daemon.wait_run("h")
        daemon.stop()
        events = self.events(project)
        self.assertEqual([event["subject"] for event in events if "-01-02T" in event["subject"]], [])


class Refused(ReloadCase):
    GOOD = webhook("in", "/in") + "{}" + handler("h", "echo good")

    def test_a_bad_file_changes_nothing_and_every_error_is_told(self):
        good = "webhook_port = 0\n" + self.GOOD.format("")
        project = self.project(good)
        daemon = self.daemon(project)
        project.configure("drain_timeot = 1\n" + good + '[handlers.more]\nrun = "true"\ntimeout = "soon"\n')
        checked = project.hark("config", "check", status=78).stderr
        self.assertEqual(len(checked.splitlines()), 2)
        refused = project.hark("daemon", "reload", "--socket", str(project.path / ".hark/hark.sock"), status=78)
        self.assertEqual(refused.stdout, "")
        self.assertEqual(refused.stderr, checked + "hark: the configuration is refused: everything goes on as it was\n")
        as_json = json.loads(project.hark("daemon", "reload", "--json", "--socket", str(project.path / ".hark/hark.sock"), status=78).stdout)
        self.assertEqual(as_json["errors"], checked.splitlines())
        self.assertIn("for 2 errors", self.reload(daemon, wanted=is_refused))
        self.assertEqual(daemon.request("POST", "/in", "{}", {"Content-Type": "application/json"})[0], 202)
        self.assertEqual(project.run_output(daemon.wait_run("h")["run"]), "good\n")
        self.assertEqual(daemon.status()["configuration"]["refused"]["errors"], checked.splitlines())
        self.assertIn(checked.splitlines()[0], project.hark("daemon", "status").stdout)
        self.assertTrue(self.reload(daemon, good).endswith("says what it said before"))
        self.assertNotIn("refused", daemon.status()["configuration"])

    def test_a_file_that_is_no_toml_leaves_the_daemon_within_reach(self):
        project = self.project(handler("h", "true"))
        daemon = self.daemon(project)
        good = project.config.read_text()
        project.config.write_text(good + "[handlers.other]\nrun = 'echo\n")
        self.assertEqual(project.hark("daemon", "reload", status=78).stdout, "")
        status = project.hark("daemon", "status")
        self.assertIn("the configuration was changed, and what it says now is refused", status.stdout)
        self.assertIn("the configuration has 1 error", status.stderr)
        project.configure("")
        self.assertIn("no source and no handler in it any more", project.hark("daemon", "reload", status=78).stderr)
        project.hark("daemon", "stop")
        self.assertEqual(daemon.process.wait(30), 0)

    def test_what_needs_a_restart_says_so_and_nothing_else_is_taken_over(self):
        project = self.project(handler("h", "echo old"))
        daemon = self.daemon(project)
        self.reload(daemon, 'journal_file = "elsewhere.db"\nlog_file = "hark.log"\nretention = "1h"\n' + handler("h", "echo new"), wanted=is_refused)
        for key in ("journal_file", "log_file"):
            self.assertTrue(daemon.wait_for(lambda line: line["level"] == "error")["message"].startswith(key + ": needs a restart"))
        project.configure(handler("h", "echo new"))
        project.hark("daemon", "trigger", "--handler", "h", "--wait")
        self.assertEqual(project.run_output(project.runs()[0]["id"]), "old\n")

    def test_a_source_of_the_command_line_must_stay(self):
        text = "webhook_port = 0\n" + webhook("a", "/a") + "{}" + handler("h", "true")
        project = self.project(text.format(webhook("b", "/b")))
        daemon = self.daemon(project, "--sources", "a")
        self.reload(daemon, text.format(webhook("c", "/c")))
        self.assertEqual([s["name"] for s in daemon.status()["sources"]], ["a"])
        self.reload(daemon, "webhook_port = 0\n" + webhook("c", "/c") + handler("h", "true"), wanted=is_refused)
        self.assertIn("--sources: no source is named 'a'", daemon.wait_for(lambda line: line["level"] == "error")["message"])


class Asked(ReloadCase):
    def test_a_plan_tells_the_difference_and_a_reload_makes_it(self):
        project = self.project("webhook_port = 0\n" + webhook("b", "/b") + webhook("c", "/c") + handler("h", "true"))
        daemon = self.daemon(project)
        project.configure("webhook_port = 0\n" + webhook("a", "/a") + webhook("b", "/x") + handler("h", "echo"), log_level="debug")
        wanted = "sources: +a, ~b, -c; handlers: ~h; settings: log_level\n"
        for _ in range(2):
            self.assertEqual(project.hark("config", "plan").stdout, wanted)
        before = daemon.status()
        self.assertEqual([s["name"] for s in before["sources"]], ["b", "c"])
        self.assertEqual(project.hark("daemon", "reload").stdout, wanted)
        self.assertEqual([s["name"] for s in daemon.status()["sources"]], ["a", "b"])
        self.assertGreater(daemon.status()["configuration"]["loaded"], before["configuration"]["loaded"])
        self.assertEqual(project.hark("daemon", "reload").stdout, "nothing has changed\n")
        difference = json.loads(project.hark("config", "plan", "--json").stdout)["difference"]
        self.assertEqual(difference["sources"], {"added": [], "changed": [], "removed": []})
        project.hark("daemon", "trigger", "--handler", "h")
        daemon.wait_for(lambda line: line["level"] == "debug")  # log_level is in force

    def test_without_a_daemon_it_says_so(self):
        project = self.project(handler("h", "true"))
        self.assertIn("no daemon answers", project.hark("daemon", "reload", status=69).stderr)
        self.assertIn("no daemon answers", project.hark("config", "plan", status=69).stderr)


class Auto(ReloadCase):
    def replace(self, project, text):
        """As an editor does it: another file takes the name."""
        before = project.config
        project.config = project.path / ".hark.toml.swp"
        project.configure('reload = "auto"\n' + text)
        os.rename(project.config, before)
        project.config = before

    def test_a_file_that_is_replaced_is_read(self):
        project = self.project('reload = "auto"\n' + handler("h", "echo old"))
        daemon = self.daemon(project)
        for version in ("new", "newer"):
            self.replace(project, handler("h", f"echo {version}"))
            self.assertEqual(daemon.wait_for(is_taken_over)["message"], "a file of it has changed: the configuration was read again: handlers: ~h")
            project.hark("daemon", "trigger", "--handler", "h", "--wait")
            self.assertEqual(project.run_output(project.runs()[0]["id"]), f"{version}\n")

    def test_a_file_that_is_missing_or_broken_changes_nothing_and_is_said_once(self):
        project = self.project('reload = "auto"\n' + handler("h", "echo old"))
        daemon = self.daemon(project)
        project.config.rename(project.path / "away")
        daemon.wait_for(is_refused)
        self.assertIn("no such file", daemon.wait_for(lambda line: line["level"] == "error")["message"])
        (project.path / "away").rename(project.config)
        self.assertTrue(daemon.wait_for(is_taken_over)["message"].endswith("says what it said before"))

        def refused():
            status = json.loads(project.hark("daemon", "status", "--json", "--socket", str(project.path / ".hark/hark.sock")).stdout)
            return status["configuration"].get("refused", {}).get("time", "")

        self.replace(project, "[handlers\n")
        daemon.wait_for(is_refused)
        first = refused()
        self.replace(project, "[handlers\n")
        deadline = time.monotonic() + DEADLINE
        while refused() == first:  # until it was looked at again
            self.assertLess(time.monotonic(), deadline)
        self.replace(project, handler("h", "echo new"))
        daemon.wait_for(is_taken_over)
        self.assertEqual(sum(is_refused(line) for line in daemon.log), 2)

    def test_a_folder_of_what_it_extends_may_go_and_come_back(self):
        project = self.project("")
        base = project.path / "shared/base.toml"
        base.parent.mkdir()
        base.write_text(handler("h", "echo old"))
        project.configure('extends = "shared/base.toml"\nreload = "auto"\n')
        daemon = self.daemon(project)
        for version in ("new", "newer"):
            shutil.rmtree(base.parent)
            daemon.wait_for(is_refused)
            base.parent.mkdir()
            base.write_text(handler("h", f"echo {version}"))
            daemon.wait_for(lambda line: "the configuration was read again: handlers: ~h" in line["message"])

    def test_a_link_is_followed_to_its_file_and_manual_ends_the_watching(self):
        project = self.project("")
        real = project.path / "real/hark.toml"
        real.parent.mkdir()
        project.config.unlink()
        project.config.symlink_to(real)
        project.configure('reload = "auto"\n' + handler("h", "echo old"))
        daemon = self.daemon(project)
        project.configure('reload = "auto"\n' + handler("h", "echo new"))
        daemon.wait_for(is_taken_over)
        project.configure(handler("h", "echo new"))
        self.assertTrue(daemon.wait_for(is_taken_over)["message"].endswith("settings: reload"))
        self.assertEqual([fd for fd in os.listdir(f"/proc/{daemon.process.pid}/fd") if self.is_inotify(daemon, fd)], [])

    @staticmethod
    def is_inotify(daemon, fd):
        try:
            return "inotify" in os.readlink(f"/proc/{daemon.process.pid}/fd/{fd}")
        except FileNotFoundError:
            return False


class Again(ReloadCase):
    def test_a_hundred_reloads_leak_no_descriptor(self):
        os.mkdir(os.path.join(self.folder, "a"))
        os.mkdir(os.path.join(self.folder, "b"))
        self.project("").git("init", "-q", "repository")
        ports = free_port(), free_port()

        def text(number):
            odd = number % 2
            return (f"webhook_port = {ports[odd]}\n" + webhook("w", f"/{odd}") +
                    source("f", "file_change", f'path = "{"ab"[odd]}"') + source("g", "git_push", f'repository = "repository"\nbranches = ["{odd}"]') +
                    source("s", "schedule", f'cron = "0 {odd} 1 1 *"') + handler("h", f"echo {odd}"))

        def descriptors(daemon):
            return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))

        project = self.project(text(0))
        daemon = self.daemon(project)
        for number in range(1, 11):
            self.reload(daemon, text(number))
        before = descriptors(daemon)
        for number in range(11, 111):
            self.reload(daemon, text(number))
        deadline = time.monotonic() + DEADLINE
        while (after := descriptors(daemon)) > before and time.monotonic() < deadline:  # one may be open for a moment: a look at a repository
            time.sleep(0.05)
        self.assertLessEqual(after, before)
        self.assertEqual([s["state"] for s in daemon.status()["sources"]], ["running"] * 4)


if __name__ == "__main__":
    unittest.main()
