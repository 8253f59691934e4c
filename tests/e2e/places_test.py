"""Where files, pipes and sockets stand, what stands there already, and who may get at it."""

import json
import os
import shutil
import socket
import stat
import subprocess
import unittest

from support import DEADLINE, HARK, TestCase, eventually

NOBODY = 65534
STRANGER = 65533
HANDLER = '[[sources]]\nname = "m"\ntype = "manual"\nhandler = "h"\n[handlers.h]\nrun = "true"\n'


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


class State(TestCase):
    def test_its_own_folder_is_none_of_a_repositorys_files_and_another_is_left_as_it_is(self):
        project = self.project(HANDLER)
        project.git("init", "-q")
        project.hark("event", "--type", "manual", "--handler", "h")
        self.assertEqual(project.git("status", "--short"), "?? hark.toml")
        shutil.rmtree(project.path / ".hark")
        project.hark("daemon", "-b")
        project.hark("daemon", "stop")
        self.assertEqual(project.git("status", "--short"), "?? hark.toml")
        shutil.rmtree(project.path / ".hark")
        (project.path / ".hark").mkdir(mode=0o700)
        self.daemon(project).stop()
        self.assertFalse((project.path / ".hark/.gitignore").exists())

    def test_a_pid_file_that_cannot_be_written_is_said_before_anything_begins(self):
        project = self.project(HANDLER)
        for place, said in (("nowhere/pid", "there is no folder"), ("/proc/pid", "no file can be made in /proc")):
            for how in ((), ("-b",)):
                self.assertIn(said, project.hark("daemon", *how, "--pid-file", place, status=1).stderr)
        self.assertEqual(sorted(path.name for path in project.path.iterdir()), ["hark.toml"])

    def test_a_pid_file_never_takes_the_place_of_something_else(self):
        project = self.project(HANDLER)
        (project.path / "precious").write_text("precious\n")
        os.mkfifo(project.path / "pipe")
        (project.path / "link").symlink_to("precious")
        for name in ("precious", "pipe", "link"):
            self.assertIn("no file of a process id", project.hark("daemon", "--pid-file", name, status=1).stderr)
        self.assertEqual((project.path / "precious").read_text(), "precious\n")
        (project.path / "pid").write_text("123\n")  # of an earlier daemon
        self.daemon(project, "--pid-file", "pid").stop()
        self.assertFalse((project.path / "pid").exists())
        self.assertTrue((project.path / "link").is_symlink())


    def test_where_its_output_goes_is_no_change_of_a_watched_folder(self):
        project = self.project('[[sources]]\nname = "code"\ntype = "file_change"\npath = "."\nhandler = "show"\n[handlers.show]\nrun = "echo {changed_files}"\n')
        with open(project.path / "out.log", "w", encoding="utf-8") as output:
            daemon = subprocess.Popen([HARK, "daemon", "--config", project.config], stdout=output, stderr=output, cwd=project.path, env=project.environment())
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)

        def said(wanted):
            return [project.run_output(run["id"]) for run in project.runs(state="succeeded") if wanted in project.run_output(run["id"])]

        eventually(lambda: "hark is ready" in (project.path / "out.log").read_text())
        (project.path / "first").write_text("x")
        eventually(lambda: said("first"))
        eventually(lambda: "run:complete" in (project.path / "out.log").read_text())
        # Written to a little later, and as open as the other: told when that would have been told.
        with open(project.path / "other.log", "w", encoding="utf-8") as other:
            other.write("x")
            other.flush()
            eventually(lambda: said("other.log"))
        self.assertEqual(said("out.log"), [])


class Background(TestCase):
    def begin(self, project, *arguments):
        done = project.hark("daemon", "-b", *arguments)
        self.addCleanup(project.hark, "daemon", "stop", status=None)
        return done.stderr

    def test_a_log_is_made_for_the_owner_only_and_one_that_is_there_keeps_its_mode(self):
        project = self.project('log_file = "logs/hark.log"\n' + HANDLER)
        self.begin(project)
        log = project.path / "logs/hark.log"
        self.assertEqual((mode(log), mode(log.parent)), (0o600, 0o700))
        project.hark("daemon", "stop")
        log.chmod(0o640)
        project.hark("daemon", "-b")
        self.assertEqual(mode(log), 0o640)

    def test_a_folder_that_others_may_enter_is_said_aloud(self):
        project = self.project(HANDLER)
        (project.path / ".hark").mkdir(mode=0o755)
        self.assertIn("chmod go-rwx " + str(project.path / ".hark"), self.begin(project))

    def test_a_port_that_is_taken_is_said_at_the_start_and_in_the_status(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            project = self.project(f"webhook_port = {port}\n" + HANDLER)
            self.assertIn(f"cannot listen on 127.0.0.1:{port}", self.begin(project))
            self.assertIn(f"no HTTP over TCP: cannot listen on 127.0.0.1:{port}", project.hark("daemon", "status").stdout)
            listener = json.loads(project.hark("daemon", "status", "--json").stdout)["listener"]
            self.assertEqual((listener["state"], listener["port"]), ("failed", port))
            self.assertIn("webhook_port", listener["cure"])

    def test_a_good_start_says_nothing(self):
        self.assertEqual(self.begin(self.project("webhook_port = 0\n" + HANDLER)), "")


class Saying(TestCase):
    def test_events_of_a_source_are_those_accepted_in_the_status_as_in_the_metrics(self):
        project = self.project("""webhook_port = 0
[[sources]]
name = "hook"
type = "webhook"
path = "/x"
secret = "s"
handler = "h"
[handlers.h]
run = "true"
""")
        daemon = self.daemon(project)
        answers = [daemon.post_signed("/x", {}, "s", {"Idempotency-Key": "one"})[0] for _ in range(3)]
        self.assertEqual(answers, [202, 200, 200])
        self.assertEqual(daemon.status()["sources"][0]["accepted"], 1)
        self.assertIn('hark_events_received_total{source="hook",type="webhook"} 1', daemon.request("GET", "/metrics")[2].decode())

    def test_a_pause_says_what_ends_it(self):
        project = self.project(HANDLER)
        self.daemon(project)
        self.assertIn("wait for `hark daemon resume`", project.hark("daemon", "pause").stderr)
        self.assertEqual(project.hark("daemon", "resume").stderr, "hark: resumed all handlers\n")

    def test_what_a_browser_sends_for_another_site_triggers_nothing(self):
        project = self.project("webhook_port = 0\n" + HANDLER)
        daemon = self.daemon(project)
        self.assertEqual(daemon.request("POST", "/api/handlers/h/trigger", headers={"Sec-Fetch-Site": "cross-site"})[0], 403)
        self.assertEqual(daemon.request("POST", "/api/handlers/h/trigger", headers={"Sec-Fetch-Site": "same-origin"})[0], 202)

    def test_of_very_many_errors_the_first_are_shown_and_the_rest_counted(self):
        project = self.project("".join(f"key{number} = 1\n" for number in range(5000)))
        said = project.hark("config", "check", status=78).stderr.splitlines()
        self.assertEqual((len(said), said[-1]), (101, "... and 4900 more errors"))


class OneFileForTwoThings(TestCase):
    def test_no_two_of_the_configured_files_are_one(self):
        project = self.project(HANDLER)
        for name in ("journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock", "hark.sock", "state.json", "runs/log"):
            project.configure(f'log_file = ".hark/{name}"\n' + HANDLER)
            self.assertIn("log_file: is", project.hark("config", "check", status=78).stderr, name)
        project.configure('log_file = "hark.toml"\n' + HANDLER)
        self.assertIn("the configuration", project.hark("config", "check", status=78).stderr)
        project.configure('state_file = ".hark/journal.db-wal"\n' + HANDLER)
        self.assertIn("state_file: is in the way of `journal_file`", project.hark("config", "check", status=78).stderr)
        (project.path / "link.log").symlink_to(project.config)
        project.configure('log_file = "link.log"\n' + HANDLER)
        self.assertIn("log_file: is", project.hark("config", "check", status=78).stderr)

    def test_a_pid_file_takes_the_place_of_none(self):
        project = self.project(HANDLER)
        project.hark("event", "--handler", "h")
        before = (project.path / ".hark/journal.db").read_bytes()
        refused = project.hark("daemon", "-b", "--pid-file", ".hark/journal.db", status=2)
        self.assertIn("in the way of `journal_file`", refused.stderr)
        self.assertEqual((project.path / ".hark/journal.db").read_bytes()[:16], before[:16])


class NoRegularFile(TestCase):
    def test_a_journal_that_is_none_is_an_error_and_no_wait(self):
        project = self.project(HANDLER)
        (project.path / ".hark").mkdir(mode=0o700)
        journal = project.path / ".hark/journal.db"
        for make, kind in ((os.mkfifo, "a named pipe"), (os.mkdir, "a folder")):
            make(journal)
            for words in (("history",), ("daemon",), ("event", "--handler", "h")):
                self.assertIn(f"{journal} is {kind}, expected a regular file", project.hark(*words, status=1).stderr)
            os.unlink(journal) if kind == "a named pipe" else os.rmdir(journal)

    def test_a_configuration_from_a_pipe_is_read_to_its_end(self):
        project = self.project(HANDLER)
        pipe = project.path / "pipe"
        os.mkfifo(pipe)
        check = subprocess.Popen([HARK, "config", "check", "--config", pipe], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with check:
            while True:
                try:
                    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
                    break
                except OSError:  # nobody has opened it for reading yet
                    self.assertIsNone(check.poll(), "it did not wait for the writer")
            for part in ("[handlers.h]\n", "run = 'true'\n", "nonsense = 1\n"):
                os.write(writer, part.encode())
            os.close(writer)
            self.assertIn("3:1: handlers.h.nonsense: unknown key", check.communicate(timeout=DEADLINE)[1])
            self.assertEqual(check.returncode, 78)


@unittest.skipUnless(os.geteuid() == 0, "needs other users")
class SocketInPublic(TestCase):
    """Where the journal's path is too long for a socket beside it, and there is no runtime directory."""

    def setUp(self):
        super().setUp()
        self.public = self.folder + "/tmp"
        self.mine = f"{self.public}/hark-{NOBODY}"
        self.hark = self.folder + "/hark"
        shutil.copy(HARK, self.hark)
        config = self.folder + "/hark.toml"
        with open(config, "w") as file:
            file.write(f'journal_file = "{"j" * 120}/journal.db"\n' + HANDLER)
        os.mkdir(self.public)
        os.chmod(self.public, 0o1777)
        os.chown(self.folder, NOBODY, NOBODY)
        os.chmod(config, 0o644)
        self.environment = {"PATH": os.environ["PATH"], "TMPDIR": self.public}

    def as_nobody(self, *words):
        return subprocess.run([self.hark, *words], cwd=self.folder, env=self.environment, user=NOBODY, group=NOBODY, extra_groups=[],
                              capture_output=True, text=True, timeout=DEADLINE)

    def start(self):
        self.addCleanup(self.as_nobody, "daemon", "stop")
        return self.as_nobody("daemon", "-b")

    def test_the_folder_is_made_for_this_user_alone_and_found_again(self):
        started = self.start()
        self.assertEqual(started.returncode, 0, started.stderr)
        status = os.stat(self.mine)
        self.assertEqual((stat.S_IMODE(status.st_mode), status.st_uid), (0o700, NOBODY))
        self.assertEqual(self.as_nobody("daemon", "trigger", "--handler", "h", "--wait").returncode, 0)

    def refused(self, why):
        started = self.start()
        self.assertEqual(started.returncode, 1, started.stderr)
        self.assertIn(why, started.stderr)
        self.assertIn("XDG_RUNTIME_DIR", started.stderr)

    def test_a_folder_of_somebody_else_is_refused(self):
        os.mkdir(self.mine)
        os.chmod(self.mine, 0o777)
        self.refused("belongs to user 0")

    def test_a_folder_that_others_may_enter_is_refused(self):
        os.mkdir(self.mine)
        os.chown(self.mine, NOBODY, NOBODY)
        os.chmod(self.mine, 0o770)
        self.refused("others may enter")

    def test_a_link_is_refused(self):
        os.mkdir(self.folder + "/elsewhere", 0o700)
        os.chown(self.folder + "/elsewhere", NOBODY, NOBODY)
        os.symlink(self.folder + "/elsewhere", self.mine)
        os.lchown(self.mine, NOBODY, NOBODY)
        self.refused("is no folder")

    def test_a_stranger_that_listens_there_is_told_nothing(self):
        self.start()
        name = os.listdir(self.mine)[0]
        self.as_nobody("daemon", "stop")
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.bind(f"{self.mine}/{name}")
            os.chmod(f"{self.mine}/{name}", 0o666)
            os.seteuid(STRANGER)  # whose the listener is, SO_PEERCRED takes from here
            try:
                stranger.listen()
            finally:
                os.seteuid(0)
            asked = self.as_nobody("daemon", "trigger", "--handler", "h", "--payload", '{"secret": 1}')
            self.assertEqual(asked.returncode, 69, asked.stderr)
            self.assertIn(f"user {STRANGER}", asked.stderr)
            caught, _ = stranger.accept()
            self.assertEqual(caught.recv(1000), b"")
            caught.close()


if __name__ == "__main__":
    unittest.main()
