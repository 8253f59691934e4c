"""Drives the real hark binary: a project in a temporary folder, a daemon whose log is read as it comes.

Nothing here waits for a time: the daemon's JSON log says when something has happened, and a deadline only bounds a failure.
"""

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import pty
import queue
import signal
import subprocess
import tempfile
import threading
import time
import unittest

HARK = os.environ["HARK_BINARY"]
DEADLINE = 60  # seconds until a test that hangs is a test that failed; sanitized builds on busy machines are slow


def eventually(condition):
    """Asks until it is so; for what no log tells."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it never came about")
        time.sleep(0.01)


class Daemon:
    """A running `hark daemon`; `log` holds its parsed log lines."""

    def __init__(self, project, *arguments, env=None, preexec=None, ready=True):
        self.project = project
        self.log = []
        self.lines = queue.Queue()
        self.process = subprocess.Popen(
            [HARK, "daemon", "--config", project.config, *arguments],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=project.path, env=project.environment(env), preexec_fn=preexec)
        threading.Thread(target=self._read, daemon=True).start()
        if ready:
            self.wait_ready()

    def wait_ready(self):
        return self.wait_for(lambda line: line["message"].startswith("hark is ready"))["message"]

    def _read(self):
        for line in self.process.stderr:
            self.lines.put(line)
        self.lines.put(None)

    def wait_for(self, wanted, seen_too=False):
        """The next line of the log (or, with seen_too, an earlier one) that is wanted."""
        if seen_too:
            for line in self.log:
                if wanted(line):
                    return line
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError("the daemon never said it; its log:\n" + self.text()) from None
            if line is None:
                raise AssertionError(f"the daemon ended with {self.process.wait()}; its log:\n" + self.text())
            try:
                parsed = json.loads(line)
            except json.JSONDecodeError:
                parsed = {"message": line.decode(errors="replace"), "level": "?"}
            self.log.append(parsed)
            if wanted(parsed):
                return parsed

    def wait_run(self, handler, state="succeeded"):
        name = "run:complete" if state == "succeeded" else "run:failed"
        return self.wait_for(lambda line: line.get("name") == name and line.get("handler") == handler)

    def text(self):
        return "\n".join(json.dumps(line) for line in self.log)

    def status(self):
        return json.loads(self.project.hark("daemon", "status", "--json").stdout)

    @property
    def port(self):
        return self.status()["listener"]["port"]

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    def post_signed(self, path, body, secret, headers=None):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return self.request("POST", path, body, {"Content-Type": "application/json", "X-Signature": "sha256=" + signature, **(headers or {})})

    def stop(self, by=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(by)
        return self.process.wait(DEADLINE)

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)


class Project:
    """A folder with a hark.toml."""

    def __init__(self, folder, text, log_level="info"):
        self.path = pathlib.Path(folder)
        self.config = self.path / "hark.toml"
        self.configure(text, log_level)

    def configure(self, text, log_level="info"):
        level = "" if log_level == "info" else f'log_level = "{log_level}"\n'
        self.config.write_text('log_format = "json"\nlog_repeats = 0\n' + level + text)

    def environment(self, extra=None):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("HARK_", "GIT_"))}
        environment.update({"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A U Thor", "GIT_AUTHOR_EMAIL": "author@example.org",
                            "GIT_COMMITTER_NAME": "A U Thor", "GIT_COMMITTER_EMAIL": "author@example.org"})
        environment.update(extra or {})
        return environment

    def _words(self, arguments):
        alone = arguments[0] in ("cron", "init", "--version", "--help") or "--help" in arguments
        return [*arguments] if alone else [*arguments, "--config", str(self.config)]

    def hark(self, *arguments, status=0, env=None, stdin=None, preexec=None):
        """Runs a command with this project's configuration and checks its exit status."""
        words = self._words(arguments)
        done = subprocess.run([HARK, *words], capture_output=True, text=True, cwd=self.path, env=self.environment(env), timeout=DEADLINE, input=stdin, preexec_fn=preexec)
        if status is not None and done.returncode != status:
            raise AssertionError(f"{' '.join(words)} ended with {done.returncode}, wanted {status}\n{done.stdout}\n{done.stderr}")
        return done

    def on_terminal(self, columns, *arguments, env=None):
        """The lines that a command shows on a terminal so wide."""
        terminal, end = pty.openpty()
        try:
            subprocess.run([HARK, *self._words(arguments)], stdout=end, check=True, cwd=self.path, timeout=DEADLINE,
                           env={**self.environment(env), "COLUMNS": str(columns), "NO_COLOR": "1"})
            os.close(end)
            text = b""
            with contextlib.suppress(OSError):  # nobody else holds the terminal any more: it ends with EIO
                while part := os.read(terminal, 100000):
                    text += part
        finally:
            os.close(terminal)
        return text.decode().splitlines()

    def git(self, *arguments):
        return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, cwd=self.path, env=self.environment()).stdout.strip()

    def runs(self, **filters):
        found = json.loads(self.hark("history", "--json", "--limit", "1000").stdout)["runs"]
        return [run for run in found if all(run.get(key) == value for key, value in filters.items())]

    def events(self):
        """The newest first."""
        return [each["event"] for each in json.loads(self.hark("history", "--events", "--json", "--limit", "1000").stdout)["events"]]

    def run_output(self, run_id, step=0):
        return json.loads(self.hark("history", run_id, "--json").stdout)["steps"][step]["output"]


class TestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="hark-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def project(self, text, **options):
        return Project(self.folder, text, **options)

    def daemon(self, project, *arguments, **options):
        daemon = Daemon(project, *arguments, **options)

        def end():
            if daemon.process.poll() is None:
                daemon.kill()
            daemon.process.stderr.close()

        self.addCleanup(end)
        return daemon


def gone(pid):
    """Has the process ended (or is it a zombie that only waits to be reaped)?"""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
