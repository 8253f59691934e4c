"""Remote repositories over each of git's ways: its own HTTP backend behind TLS, its own daemon, ssh."""

import base64
import contextlib
import http.server
import os
import pathlib
import shlex
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
import unittest

from support import TestCase

try:
    import paramiko
except ImportError:
    paramiko = None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Backend(http.server.BaseHTTPRequestHandler):
    """git http-backend as a CGI, behind a password."""

    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"me:s3cret").decode():
            server.refused += 1
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        environment = {**os.environ, "GIT_PROJECT_ROOT": server.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
                       "REQUEST_METHOD": "GET", "REMOTE_USER": "me", "REMOTE_ADDR": "127.0.0.1", **ANY_OWNER}
        answer = subprocess.run(["git", "http-backend"], env=environment, capture_output=True, check=True).stdout
        head, _, body = answer.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() != "status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ANY_OWNER = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}


@contextlib.contextmanager
def ssh_server(host, client):
    """Lets the owner of one key in, to run `git upload-pack`; answers its port. An sshd would want a user of its own on the machine."""
    key = paramiko.Ed25519Key.from_private_key_file(str(client))

    class Door(paramiko.ServerInterface):
        def get_allowed_auths(self, _):
            return "publickey"

        def check_auth_publickey(self, _, offered):
            return paramiko.AUTH_SUCCESSFUL if offered == key else paramiko.AUTH_FAILED

        def check_channel_request(self, *_):
            return paramiko.OPEN_SUCCEEDED

        def check_channel_exec_request(self, channel, command):
            threading.Thread(target=serve, args=(channel, shlex.split(command.decode()))).start()
            return True

    def serve(channel, words):
        with subprocess.Popen(["git", words[0].removeprefix("git-"), words[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **ANY_OWNER}) as git:
            def ask():
                with git.stdin:
                    while part := channel.recv(4096):
                        git.stdin.write(part)
                        git.stdin.flush()
            threading.Thread(target=ask).start()
            while part := git.stdout.read1():
                channel.sendall(part)
            channel.shutdown_write()
            channel.send_exit_status(git.wait())
            channel.close()

    def let_in(connection):
        transport = paramiko.Transport(connection)
        transport.daemon = True
        transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(host)))
        with contextlib.suppress(paramiko.SSHException, EOFError):  # who asks may go at any time
            transport.start_server(server=Door())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        def listen():
            with contextlib.suppress(OSError):  # the test is over
                while True:
                    let_in(listener.accept()[0])
        threading.Thread(target=listen, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


class Remote(TestCase):
    HANDLER = """
handler = "show"
[handlers.show]
run = ["echo", "{payload.ref} {payload.after}"]
"""

    def setUp(self):
        super().setUp()
        self.work = self.project("")
        self.work.git("init", "-q", "-b", "main", "work")
        self.work.git("-C", "work", "commit", "-q", "--allow-empty", "-m", "one")
        self.work.git("clone", "-q", "--bare", "work", "served/x.git")
        self.work.git("-C", "work", "remote", "add", "origin", "../served/x.git")

    def source(self, url, more=""):
        return f'[[sources]]\nname = "remote"\ntype = "git_push"\nrepository = "{url}"\ninterval = "1s"\n{more}{self.HANDLER}'

    def push(self, message):
        self.work.git("-C", "work", "commit", "-q", "--allow-empty", "-m", message)
        self.work.git("-C", "work", "push", "-q", "origin", "main")
        return self.work.git("-C", "work", "rev-parse", "HEAD")

    def until_known(self):
        """Until the source has asked once: what is pushed after that is a push."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.closing(sqlite3.connect(self.work.path / ".hark/journal.db")) as journal:
                if journal.execute("select 1 from marks where instr(name, 'refs/heads/main') > 0").fetchall():
                    return
            time.sleep(0.05)
        self.fail("the remote's branches did not become known")

    def check(self, url, more="", message="two", **options):
        self.work.configure(self.source(url, more))
        daemon = self.daemon(self.work, **options)
        self.until_known()
        tip = self.push(message)
        run = daemon.wait_run("show")
        self.assertEqual(self.work.run_output(run["run"]).strip(), f"refs/heads/main {tip}")
        return daemon

    def refused(self, url, more="", **options):
        self.work.configure(self.source(url, more))
        daemon = self.daemon(self.work, **options)
        daemon.wait_for(lambda line: line.get("name") == "source:error", seen_too=True)
        (source,) = daemon.status()["sources"]
        self.assertEqual(source["state"], "degraded")
        daemon.stop()
        return source

    @contextlib.contextmanager
    def backend(self):
        certificate = str(self.work.path / "certificate.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost", "-keyout", certificate + ".key", "-out", certificate], check=True, capture_output=True)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
        server.root, server.asked, server.refused = str(self.work.path / "served"), [], 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate + ".key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://localhost:{server.server_address[1]}/x.git", certificate, server
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def test_https_with_a_token(self):
        with self.backend() as (url, certificate, _):
            daemon = self.check(url, 'username = "me"\ntoken = "${THE_TOKEN}"\n', env={"SSL_CERT_FILE": certificate, "THE_TOKEN": "s3cret"})
            (source,) = daemon.status()["sources"]
            self.assertEqual((source["state"], source["note"]), ("running", "asked every 1s"))
            processes = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True).stdout
            self.assertNotIn("s3cret", processes)
            self.assertNotIn("s3cret", daemon.text())

    def test_https_that_is_not_believed_or_does_not_let_in_is_degraded_with_a_cure(self):
        with self.backend() as (url, certificate, server):
            for more, authority, message, cure in (
                ('username = "me"\ntoken = "wrong"\n', certificate, "does not let us in", "does not take the token"),
                ("", certificate, "does not let us in", "give `token`"),
                ('token = "s3cret"\n', "/etc/ssl/certs/ca-certificates.crt", "certificate", "SSL_CERT_FILE"),
            ):
                source = self.refused(url, more, env={"SSL_CERT_FILE": authority})
                self.assertIn(message, source["reason"])
                self.assertIn(cure, source["cure"])
            self.assertGreater(server.refused, 0)

    def test_the_daemon_of_git(self):
        port = free_port()
        arguments = ["git", "daemon", "--reuseaddr", f"--base-path={self.work.path / 'served'}", "--export-all", "--listen=127.0.0.1", f"--port={port}"]
        with subprocess.Popen(arguments, env=self.work.environment(ANY_OWNER), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as server:
            try:
                daemon = self.check(f"git://127.0.0.1:{port}/x.git")
                os.killpg(server.pid, 9)
                server.wait()
                line = daemon.wait_for(lambda line: line.get("name") == "source:error", seen_too=True)
                self.assertIn("127.0.0.1", line["message"])
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(server.pid, 9)

    def test_a_server_that_takes_the_connection_and_says_nothing_does_not_hold_up_the_end(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.work.configure(self.source(f"git://127.0.0.1:{server.getsockname()[1]}/x.git"))
            daemon = self.daemon(self.work)
            connection, _ = server.accept()
            with connection:
                self.assertEqual(connection.recv(1000)[-1:], b"\0")  # asked, and waiting now
                self.assertEqual(daemon.stop(), 0)  # within its deadline, which is shorter than the question's
                self.assertEqual(connection.recv(1), b"")  # who asked is gone too

    @unittest.skipUnless(paramiko, "no paramiko here")
    def test_ssh_with_a_key_and_with_an_agent(self):
        folder = pathlib.Path(self.folder) / "ssh"
        home = folder / "home"
        (home / ".ssh").mkdir(parents=True, mode=0o700)
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        with ssh_server(folder / "host", folder / "client") as port:
            url = f"ssh://git@127.0.0.1:{port}{self.work.path}/served/x.git"
            key, at_home = f'ssh_key = "{folder}/client"\n', {"HOME": str(home)}
            self.assertIn("known_hosts", self.refused(url, key, env=at_home)["cure"])  # nobody vouches for the server yet
            host = (folder / "host.pub").read_text().split()
            (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{port} {host[0]} {host[1]}\n")
            self.check(url, key, env=at_home).stop()

            agent = folder / "agent"
            with subprocess.Popen(["ssh-agent", "-D", "-a", str(agent)], stdout=subprocess.DEVNULL) as process:
                try:
                    while not agent.exists():
                        self.assertIsNone(process.poll())
                        time.sleep(0.01)
                    environment = {**at_home, "SSH_AUTH_SOCK": str(agent)}
                    self.assertIn("does not let us in", self.refused(url, env=environment)["reason"])
                    subprocess.run(["ssh-add", "-q", str(folder / "client")], check=True, env={**os.environ, **environment})
                    self.check(url, message="three", env=environment)
                finally:
                    process.terminate()


if __name__ == "__main__":
    unittest.main()
