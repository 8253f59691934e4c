"""The daemon as a whole: stopping, dying, running out of disk, being asked."""

import json
import os
import pathlib
import resource
import signal
import stat
import subprocess
import unittest

from support import DEADLINE, TestCase, gone

ONE = """
[handlers.{name}]
run = {run}
timeout = "60s"
"""


def handler(name, run, more=""):
    return f"[handlers.{name}]\nrun = {json.dumps(run)}\n{more}\n"


class Stopping(TestCase):
    def test_sigterm_lets_a_running_handler_finish(self):
        project = self.project(handler("slow", "touch started; read line < gate; echo $line"))
        os.mkfifo(project.path / "gate")
        daemon = self.daemon(project)
        project.hark("daemon", "trigger", "--handler", "slow")
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for(lambda line: "stopping" in line["message"])
        refused = project.hark("daemon", "trigger", "--handler", "slow", status=None)
        self.assertIn(refused.returncode, (1, 69))
        (project.path / "gate").write_text("done\n")
        self.assertEqual(daemon.process.wait(DEADLINE), 0)
        self.assertEqual([run["state"] for run in project.runs()], ["succeeded"])
        self.assertFalse((project.path / ".hark/hark.sock").exists())

    def test_what_a_stop_cuts_off_goes_on_at_the_next_start(self):
        project = self.project('drain_timeout = "100ms"\n' + handler("slow", "echo attempt $HARK_ATTEMPT $HARK_IDEMPOTENCY_KEY; [ $HARK_ATTEMPT != 1 ] || exec tail -f /dev/null"))
        daemon = self.daemon(project)
        project.hark("daemon", "trigger", "--handler", "slow")
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual([(run["state"], run["attempt"]) for run in project.runs()], [("queued", 2)])
        again = self.daemon(project)
        again.wait_run("slow")
        self.assertTrue(project.run_output(project.runs()[0]["id"]).startswith("attempt 2 "))

    def test_a_second_signal_ends_it(self):
        project = self.project(handler("slow", "exec tail -f /dev/null"))
        daemon = self.daemon(project)
        project.hark("daemon", "trigger", "--handler", "slow")
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        daemon.process.send_signal(signal.SIGTERM)
        said = daemon.wait_for(lambda line: "stopping" in line["message"])["message"]
        self.assertEqual(said, "SIGTERM: stopping; 1 running handler has 30s to finish, a second signal ends at once; what is cut off runs again at the next start")
        self.assertEqual(daemon.stop(), 128 + signal.SIGTERM)


class Dying(TestCase):
    def test_a_killed_daemon_forgets_nothing_and_leaves_nothing_running(self):
        project = self.project("max_concurrent_handlers = 1\n" + handler(
            "slow", "echo $$ > pid; [ $HARK_ATTEMPT != 1 ] || exec tail -f /dev/null; echo attempt $HARK_ATTEMPT"))
        daemon = self.daemon(project)
        for _ in range(3):
            project.hark("daemon", "trigger", "--handler", "slow")
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        daemon.kill()
        left = project.runs()
        self.assertEqual(sorted(run["state"] for run in left), ["queued", "queued", "running"])
        again = self.daemon(project)
        for _ in range(3):
            # The two that never began are at their first attempt: they are ended by hand.
            cut_off = [run for run in project.runs() if run["attempt"] == 2]
            self.assertEqual(len(cut_off), 1)
            break
        again.wait_for(lambda line: line.get("name") == "run:complete" and line.get("run") == cut_off[0]["id"], seen_too=True)
        self.assertEqual(project.run_output(cut_off[0]["id"]).strip(), "attempt 2")

    def test_a_second_daemon_on_one_journal_is_refused(self):
        project = self.project(handler("h", "true"))
        daemon = self.daemon(project)
        refused = project.hark("daemon", status=1)
        self.assertIn(f"process {daemon.process.pid}", refused.stderr)
        self.assertEqual(daemon.status()["state"], "running")


class Trees(TestCase):
    def test_a_timeout_ends_the_whole_tree_also_what_called_setsid(self):
        project = self.project(handler("tree", "setsid sh -c 'echo $$ > grandchild; exec tail -f /dev/null' & echo $$ > child; exec tail -f /dev/null", 'timeout = "1s"'))
        daemon = self.daemon(project)
        done = project.hark("daemon", "trigger", "--handler", "tree", "--wait", status=1)
        self.assertIn("timed", done.stdout)
        for name in ("child", "grandchild"):
            self.assertTrue(gone(int((project.path / name).read_text())), name)
        self.assertEqual(daemon.status()["queue"]["running"], 0)


class Answers(TestCase):
    def test_a_handler_that_is_not_there_is_named_with_those_that_are(self):
        project = self.project(handler("deploy", "true") + handler("rec", "true"))
        self.daemon(project)
        for command in ("trigger", "pause"):
            near = project.hark("daemon", command, "--handler", "deplyo", status=1).stderr
            self.assertEqual(near, "hark: no such handler: 'deplyo'; did you mean 'deploy'? (there are: deploy, rec)\n")
            for odd in ("../x", "rec?wait=true"):
                self.assertIn(f"'{odd}' is no handler's name", project.hark("daemon", command, "--handler", odd, status=2).stderr)

    def test_a_trigger_that_is_sent_again_with_its_key_runs_once(self):
        project = self.project('webhook_port = 0\n[handlers.one]\nrun = "true"\n[handlers.two]\nrun = "true"')
        daemon = self.daemon(project)

        def trigger(handler, key):
            status, _, body = daemon.request("POST", f"/api/handlers/{handler}/trigger?wait=true", b"{}", {"Idempotency-Key": key})
            return status, json.loads(body)

        first = trigger("one", "k")
        self.assertEqual(first[0], 200)
        self.assertEqual(trigger("one", "k")[1]["event_id"], first[1]["event_id"])
        daemon.kill()
        daemon = self.daemon(project)
        self.assertEqual(trigger("one", "k")[1]["event_id"], first[1]["event_id"])
        others = {trigger("one", "K")[1]["event_id"], trigger("two", "k")[1]["event_id"]}
        self.assertEqual(len(others | {first[1]["event_id"]}), 3)
        self.assertEqual(len(project.runs()), 3)
        self.assertEqual(trigger("one", "x" * 256)[0], 400)

    def test_pause_and_resume_say_what_they_did(self):
        project = self.project(handler("h", "true"))
        self.daemon(project)
        self.assertIn("paused all handlers", project.hark("daemon", "pause").stderr)
        self.assertIn("paused 'h'", project.hark("daemon", "pause", "--handler", "h").stderr)
        self.assertIn("all handlers are paused", project.hark("daemon", "resume", "--handler", "h", status=1).stderr)
        self.assertIn("resumed all", project.hark("daemon", "resume").stderr)
        self.assertIn("resumed 'h'", project.hark("daemon", "resume", "--handler", "h").stderr)

    def test_where_no_daemon_answers_the_socket_is_named_once(self):
        project = self.project(handler("h", "true"))
        refused = project.hark("daemon", "status", status=69).stderr
        self.assertEqual(refused.count("hark.sock"), 1, refused)
        self.assertIn("no daemon answers", refused)

    def test_data_with_a_key_twice_is_refused_as_a_webhook_would(self):
        project = self.project("webhook_port = 0\n" + handler("h", "true"))
        daemon = self.daemon(project)
        status, _, body = daemon.request("POST", "/api/handlers/h/trigger", '{"s": 0, "s": 1}')
        self.assertEqual(status, 400)
        self.assertIn("more than once", json.loads(body)["detail"])


class State(TestCase):
    def test_files_are_made_at_first_use_and_only_for_the_owner(self):
        project = self.project(handler("h", "true"))
        self.daemon(project)
        project.hark("daemon", "trigger", "--handler", "h", "--wait")
        folder = project.path / ".hark"
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
        for name in ("journal.db", "hark.sock"):
            self.assertEqual(stat.S_IMODE((folder / name).stat().st_mode), 0o600, name)

    def broken(self, text):
        project = self.project(handler("h", "true"))
        (project.path / ".hark").mkdir(mode=0o700)
        (project.path / ".hark/state.json").write_text(text)
        daemon = self.daemon(project)
        self.assertTrue(any("state.json" in line["message"] and line["level"] == "warn" for line in daemon.log), daemon.text())
        kept = [path for path in (project.path / ".hark").iterdir() if path.name.startswith("state.json.")]
        self.assertEqual([path.read_text() for path in kept], [text])
        project.hark("daemon", "trigger", "--handler", "h", "--wait")
        self.assertEqual(daemon.stop(), 0)
        state = json.loads((project.path / ".hark/state.json").read_text())
        self.assertEqual(state["handlers"]["h"]["last_state"], "succeeded")
        self.assertEqual(stat.S_IMODE((project.path / ".hark/state.json").stat().st_mode), 0o600)

    def test_a_state_file_that_is_cut_off_is_kept_aside_and_said_aloud(self):
        self.broken('{"version": 1, "handlers": {"h": {"last_')

    def test_a_state_file_from_a_newer_hark_is_kept_aside_and_said_aloud(self):
        self.broken('{"version": 99, "handlers": {}}')

    def test_a_journal_that_cannot_be_opened_is_an_error_with_its_name(self):
        project = self.project('journal_file = "blocked/journal.db"\n' + handler("h", "true"))
        (project.path / "blocked").write_text("a file where a folder should be")
        refused = project.hark("daemon", status=1)
        self.assertIn("blocked", refused.stderr)
        project.configure('journal_file = "broken.db"\n' + handler("h", "true"))
        (project.path / "broken.db").write_text("this is no database" * 100)
        refused = project.hark("daemon", status=1)
        self.assertIn("broken.db", refused.stderr)
        self.assertNotIn("Traceback", refused.stderr)

    def test_a_full_disk_refuses_events_and_the_daemon_lives(self):
        project = self.project("""
webhook_port = 0
[[sources]]
name = "hook"
type = "webhook"
path = "/x"
secret = "s"
handler = "h"
""" + handler("h", "true"))

        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))

        daemon = self.daemon(project, preexec=small_files)
        accepted = []
        for _ in range(200):
            status, headers, body = daemon.post_signed("/x", {"filler": "x" * 10_000}, "s")
            if status != 202:
                break
            accepted.append(json.loads(body)["event_id"])
        self.assertEqual(status, 503)
        self.assertIn("Retry-After", headers)
        self.assertEqual(daemon.status()["state"], "running")
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        while daemon.post_signed("/x", {"filler": "x"}, "s")[0] != 202:
            pass
        self.assertEqual(daemon.stop(), 0)
        seen = {run["event"]["id"] for run in project.runs(state="succeeded")}
        self.assertLessEqual(set(accepted), seen)


class Asking(TestCase):
    def test_trigger_waits_for_the_result_and_its_status_is_the_exit_status(self):
        project = self.project(handler("good", "echo {payload.name}") + handler("bad", "echo oops >&2; exit 3"))
        self.daemon(project)
        done = project.hark("daemon", "trigger", "--handler", "good", "--payload", '{"name": "a b"}', "--wait", "--json")
        run = json.loads(done.stdout)["runs"][0]
        self.assertEqual((run["state"], project.run_output(run["id"])), ("succeeded", "a b\n"))
        failed = project.hark("daemon", "trigger", "--handler", "bad", "--wait", status=1)
        self.assertIn("failed", failed.stdout)
        missing = project.hark("daemon", "trigger", "--handler", "goood", status=1)
        self.assertIn("did you mean 'good'", missing.stderr)
        project.hark("daemon", "trigger", "--handler", "good", "--payload", "{", status=2)
        project.hark("daemon", "trigger", "--handler", "good", "--payload", "-", stdin='{"name": "stdin"}')

    def test_without_a_daemon_the_commands_say_so(self):
        project = self.project(handler("h", "true"))
        for words in (("daemon", "status"), ("daemon", "stop"), ("daemon", "trigger", "--handler", "h")):
            self.assertIn("hark daemon", project.hark(*words, status=69).stderr)

    def test_pause_holds_runs_back_and_accepts_events(self):
        project = self.project(handler("h", "true"))
        daemon = self.daemon(project)
        project.hark("daemon", "pause")
        project.hark("daemon", "trigger", "--handler", "h")
        status = daemon.status()
        self.assertEqual((status["state"], status["queue"]["waiting"], status["queue"]["running"]), ("paused", 1, 0))
        project.hark("daemon", "resume")
        daemon.wait_run("h")

    def test_caps_hold_over_all_and_for_one_handler(self):
        project = self.project("max_concurrent_handlers = 3\n" + handler("one", "exec tail -f /dev/null", "max_concurrent = 1") + handler("two", "exec tail -f /dev/null"))
        daemon = self.daemon(project)
        for name in ("one", "one", "two", "two", "two"):
            project.hark("daemon", "trigger", "--handler", name)
        for _ in range(3):
            daemon.wait_for(lambda line: line.get("name") == "run:started")
        by_name = {one["name"]: (one["running"], one["waiting"]) for one in daemon.status()["handlers"]}
        self.assertEqual(by_name, {"one": (1, 1), "two": (2, 1)})
        run = daemon.status()["running"][0]["id"]
        self.assertEqual(daemon.request("POST", "/api/runs/" + run + "/cancel")[0] if "listener" in daemon.status() else 202, 202)

    def test_metrics_health_and_the_guard_against_other_sites(self):
        project = self.project("webhook_port = 0\n" + handler("h", "true"))
        daemon = self.daemon(project)
        project.hark("daemon", "trigger", "--handler", "h", "--wait")
        status, headers, body = daemon.request("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertIn('hark_runs_total{handler="h",state="succeeded"} 1', body.decode())
        self.assertEqual(daemon.request("GET", "/healthz")[0], 200)
        self.assertEqual(daemon.request("GET", "/readyz")[0], 200)
        self.assertEqual(daemon.request("POST", "/api/handlers/h/trigger", b"{}", {"Origin": "https://evil.example"})[0], 403)
        self.assertEqual(daemon.request("GET", "/api/status", headers={"Host": "evil.example"})[0], 403)
        self.assertEqual(daemon.request("GET", "/api/status")[0], 200)
        self.assertEqual(len(project.runs()), 1)

    def test_the_end_by_a_page_that_cannot_be_had_is_explained(self):
        project = self.project(handler("h", "true"))
        daemon = self.daemon(project)
        project.hark("daemon", "trigger", "--handler", "h", "--wait")
        os.truncate(project.path / ".hark/journal.db-shm", 0)
        project.hark("daemon", "trigger", "--handler", "h", status=None)
        with self.assertRaises(AssertionError):
            daemon.wait_for(lambda line: False)
        self.assertEqual(daemon.process.wait(DEADLINE), -signal.SIGBUS)
        self.assertTrue(any("ended by SIGBUS" in line["message"] and "make room" in line["message"] for line in daemon.log))
        self.daemon(project)
        self.assertGreaterEqual(len(project.runs(handler="h", state="succeeded")), 1)

    def test_background_returns_when_ready_and_stop_returns_when_gone(self):
        project = self.project(handler("h", "true"))
        said = project.hark("daemon", "--background", "--pid-file", str(project.path / "pid")).stdout
        pid = int((project.path / "pid").read_text())
        self.addCleanup(lambda: gone(pid) or os.kill(pid, signal.SIGKILL))
        self.assertEqual(said, f"hark runs in the background as process {pid}; its log is {project.path}/.hark/hark.log\n")
        self.assertEqual(json.loads(project.hark("daemon", "status", "--json").stdout)["pid"], pid)
        self.assertEqual(project.hark("daemon", "reload").stdout, "nothing has changed\n")
        self.assertEqual(project.hark("config", "plan").stdout, "nothing would change\n")
        project.hark("daemon", "trigger", "h", "--wait")
        project.hark("daemon", "stop")
        self.assertTrue(gone(pid))
        self.assertFalse((project.path / "pid").exists())
        self.assertIn("hark has stopped", (project.path / ".hark/hark.log").read_text())
        (project.path / "blocked").write_text("a file where a folder should be")
        project.configure('journal_file = "blocked/x"\n')
        project.hark("daemon", "--background", status=1)


if __name__ == "__main__":
    unittest.main()
