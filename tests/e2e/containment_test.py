"""What commands may have and reach, with the real program: environment, limits, user, cgroup, sandbox."""

import json
import os
import pathlib
import pwd
import shutil
import subprocess
import unittest

from support import DEADLINE, HARK, TestCase, eventually

MANUAL = """
[[sources]]
name = "by-hand"
type = "manual"
handler = "work"
[handlers.work]
"""
SECRETS = {"OPENAI_API_KEY": "sk-1", "HOOK_SECRET": "h", "AWS_REGION": "eu", "AWS_PROFILE": "p"}


def has_sandbox():
    words = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"]
    return shutil.which("bwrap") is not None and subprocess.run(words, capture_output=True).returncode == 0


def nobody_bears(run_id):
    mark = b"HARK_RUN_ID=" + run_id.encode()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                return False
        except OSError:
            continue  # it has just ended
    return True


class Contained(TestCase):
    def start(self, handler, env=None):
        self.project_ = self.project(MANUAL + handler)
        self.daemon_ = self.daemon(self.project_, env=env)
        return self.daemon_

    def run_it(self, state="succeeded"):
        self.project_.hark("daemon", "trigger", "work")
        self.daemon_.wait_run("work", state)
        return json.loads(self.project_.hark("history", self.project_.runs(handler="work")[0]["id"], "--json").stdout)

    def said(self, run):
        return run["steps"][0]["output"]


class Environment(Contained):
    def test_of_the_daemons_secrets_none_reaches_a_command_that_does_not_name_it(self):
        self.start('run = "env"\npass_environment = ["AWS_*"]\nenvironment = { KEY = "{env.OPENAI_API_KEY}" }\n', env=SECRETS)
        names = {line.split("=")[0]: line for line in self.said(self.run_it()).splitlines()}
        self.assertEqual({"AWS_REGION", "AWS_PROFILE", "PATH", "KEY", "HARK_RUN_ID"} - names.keys(), set())
        self.assertEqual({"OPENAI_API_KEY", "HOOK_SECRET"} & names.keys(), set())
        self.assertEqual(names["KEY"], "KEY=sk-1")  # a template names it

    def test_inherited_it_is_all_there(self):
        self.start('run = "env"\ninherit_environment = true\n', env=SECRETS)
        self.assertIn("OPENAI_API_KEY=sk-1", self.said(self.run_it()))

    def test_an_event_without_a_daemon_has_the_same(self):
        project = self.project(MANUAL + 'run = "env > seen"\n')
        project.hark("event", "--source", "by-hand", env=SECRETS)
        seen = (project.path / "seen").read_text()
        self.assertIn("\nPATH=", "\n" + seen)
        self.assertNotIn("sk-1", seen)


class Limits(Contained):
    def test_umask_nice_and_limits_hold(self):
        self.start('run = "umask; nice; ulimit -n; ulimit -t; ulimit -c"\numask = "027"\nnice = 5\nlimits = { cpu = "10m", open_files = 64, core = "0" }\n')
        self.assertEqual(self.said(self.run_it()), "0027\n5\n64\n600\n0\n")

    def test_what_cannot_be_set_fails_the_step_in_words(self):
        project = self.project(MANUAL + 'run = "touch began"\nlimits = { open_files = 1000 }\n')
        bounded = ["prlimit", "--nofile=200:200"]
        if os.geteuid() == 0:
            bounded += ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]  # root, but one that may raise no limit
        done = subprocess.run([*bounded, HARK, "event", "--source", "by-hand", "--config", str(project.config)], capture_output=True, text=True,
                              cwd=project.path, env=project.environment(), timeout=DEADLINE)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("cannot set limits.open_files = 1000: Operation not permitted", done.stdout + done.stderr)
        self.assertFalse((project.path / "began").exists())

    @unittest.skipUnless(os.geteuid() == 0, "only root becomes another user")
    def test_a_user_of_its_own(self):
        nobody = pwd.getpwnam("nobody")
        self.start('run = ["sh", "-c", "id -un; id -gn; echo $HOME $USER"]\nuser = "nobody"\n')
        self.assertEqual(self.said(self.run_it()), f"nobody\nnogroup\n{nobody.pw_dir} nobody\n")

    @unittest.skipUnless(os.geteuid() == 0, "takes a user that root may become")
    def test_a_user_that_the_daemon_may_not_become_is_told_before_anything_starts(self):
        project = self.project(MANUAL + 'run = "true"\nuser = "root"\n')
        words = [HARK, "config", "check", "--config", str(project.config)]
        project.path.chmod(0o755)
        project.config.chmod(0o644)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words], capture_output=True, text=True, cwd="/", timeout=DEADLINE)
        if "ermission denied" in done.stderr and "become" not in done.stderr:
            self.skipTest("another user cannot reach the test's folder or program: " + done.stderr)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("may not become user 'root'", done.stderr)


class Cgroups(Contained):
    def test_where_nothing_is_delegated_it_is_said_and_made_up_for(self):
        self.start('run = "ulimit -v"\nmemory_max = "3G"\npids_max = 100\ncpu_max = "150%"\n')
        warned = [line["message"] for line in self.daemon_.log if "memory_max" in line["message"]]
        run = self.run_it()
        if not warned:
            self.assertEqual(self.said(run), "unlimited\n")
            return
        self.assertEqual(len(warned), 1, warned)
        self.assertIn("'work': memory_max bounds the address space of each process", warned[0])
        self.assertIn("cpu_max has no effect", warned[0])
        self.assertEqual(self.said(run), str(3 * 1024 * 1024) + "\n")
        self.assertIn("cpu_max has no effect", self.project_.hark("daemon", "status").stdout)
        self.assertEqual(len(self.daemon_.status()["containment"]), 1)
        # One event tells of the handlers that it comes to, and of those that run when these fail.
        self.project_.configure(MANUAL + 'run = "true"\nmemory_max = "3G"\n[handlers.other]\nrun = "true"\n[handlers.fails]\nrun = "false"\non_failure = "work"\n')
        for handler, told, status in (("work", 1, 0), ("other", 0, 0), ("fails", 1, 1)):
            said = self.project_.hark("event", "--handler", handler, status=status).stderr
            self.assertEqual(said.count("memory_max bounds"), told, said)


@unittest.skipUnless(has_sandbox(), "no sandbox can be made here: bwrap is missing, or the kernel forbids user namespaces")
class Sandbox(Contained):
    def make_project(self):
        """With a repository `r`, of one commit."""
        self.project_ = self.project(MANUAL + 'run = "true"\n')
        (self.project_.path / "r/sub").mkdir(parents=True)
        (self.project_.path / "r/sub/kept").write_text("x")
        self.project_.git("init", "-q", "-b", "main", "r")
        self.project_.git("-C", "r", "add", "-A")
        self.project_.git("-C", "r", "commit", "-q", "-m", "first")

    def test_it_works_in_its_folder_and_reads_the_event_from_a_file(self):
        self.start("""sandbox = "bubblewrap"
run = 'touch mine; wc -c < {payload_file}; touch /etc/hark-test || touch "$HOME/hark-test" || echo denied; ls .hark; echo x >> hark.toml'
""")
        before = self.project_.config.read_text()
        run = self.run_it("failed")  # the last command: the configuration is not its own to write
        self.assertEqual(self.said(run).split()[1:3], ["denied", "runs"])
        self.assertGreater(int(self.said(run).split()[0]), 1)
        self.assertTrue((self.project_.path / "mine").exists())
        self.assertEqual(self.project_.config.read_text(), before)

    def test_a_worktree_that_leads_elsewhere_has_nothing_run_outside(self):
        """What a command puts in place of the worktree's .git is no configuration of hark's own git."""
        self.make_project()
        outside = self.project_.path / "outside"
        outside.mkdir()
        evil = json.dumps(f"""
            git log --format=%s; echo changed > file; mv .git real; git init -q . && git commit -q --allow-empty -m evil
            git config core.fsmonitor "touch {outside}/fsmonitor; false"; git config core.hooksPath hooks; git config filter.x.clean "touch {outside}/filter; cat"
            echo "* filter=x" > .gitattributes; mkdir hooks; echo "touch {outside}/hook" > hooks/post-checkout; cp hooks/post-checkout hooks/post-index-change; chmod +x hooks/*""")
        self.start(f"""sandbox = "bubblewrap"
workspace = {{ kind = "git-worktree", repository = "r", restore = true }}
environment = {{ GIT_AUTHOR_NAME = "a", GIT_AUTHOR_EMAIL = "a@b", GIT_COMMITTER_NAME = "a", GIT_COMMITTER_EMAIL = "a@b" }}
max_iterations = 3
steps = [{{ name = "evil", run = ["sh", "-c", {evil}] }}, {{ name = "log", run = "echo {{git_log}}" }}]
gates = [{{ run = "test -e never" }}]
""")
        run = self.run_it("failed")
        self.assertEqual([each["output"] for each in run["steps"] if each["name"] == "evil"], ["first\n"] * 3, run)  # each in a worktree that was brought back
        self.assertEqual(list(outside.iterdir()), [])
        self.assertEqual(self.project_.git("-C", "r", "worktree", "list").count("\n"), 0)

    def test_it_commits_where_the_repository_is_writable(self):
        self.make_project()
        self.start("""sandbox = { kind = "bubblewrap", writable = ["r/.git"] }
workspace = { kind = "git-worktree", repository = "r" }
working_directory = "sub"
environment = { GIT_AUTHOR_NAME = "a", GIT_AUTHOR_EMAIL = "a@b", GIT_COMMITTER_NAME = "a", GIT_COMMITTER_EMAIL = "a@b" }
steps = [
  { run = "echo x > file; echo y > ../above" },
  { tool = "git", action = "branch", branch = "mended" },
  { name = "commit", tool = "git", action = "commit", message = "second" },
  { run = "echo {git_log}" },
]
""")
        run = self.run_it()
        self.assertEqual(self.project_.git("-C", "r", "log", "--format=%s", "mended"), "second\nfirst")
        self.assertEqual(self.project_.git("-C", "r", "show", "--format=", "--name-only", "mended"), "above\nsub/file")
        self.assertIn(" second\n", run["steps"][3]["output"])

    def test_it_cannot_speak_to_the_daemon(self):
        self.start(f"""sandbox = {{ network = true }}
run = '{HARK} daemon status --config hark.toml'
""")
        run = self.run_it("failed")
        self.assertIn("no daemon", (run["error"] + run["steps"][0]["error_output"]).lower())

    def test_its_time_ends_it_whole(self):
        self.start("""sandbox = "bubblewrap"
timeout = "2s"
umask = "077"
run = "trap '' TERM; (setsid sh -c 'trap \\"\\" TERM; while :; do sleep 0.01; done' &); while :; do sleep 0.01; done"
""")
        run = self.run_it("timed_out")
        self.assertIn("had to be killed", run["error"])
        self.assertTrue(nobody_bears(run["id"]))

    def test_with_the_daemon_it_dies(self):
        daemon = self.start("""sandbox = "bubblewrap"
run = "touch up; mkfifo gate; cat gate"
""")
        self.project_.hark("daemon", "trigger", "work")
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        eventually(lambda: (self.project_.path / "gate").exists())
        run_id = self.project_.runs(handler="work")[0]["id"]
        daemon.kill()
        eventually(lambda: nobody_bears(run_id))


class Refused(Contained):
    def test_without_bubblewrap_nothing_runs(self):
        project = self.project(MANUAL + 'run = "true"\nsandbox = "bubblewrap"\n')
        (project.path / "bin").mkdir()
        for command in (["config", "check"], ["daemon"]):
            done = project.hark(*command, status=None, env={"PATH": str(project.path / "bin")})
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("apt install bubblewrap", done.stderr)


if __name__ == "__main__":
    unittest.main()
