"""A user whose inotify watches are used up by others: what hark can still watch, and what it says of the rest.

The user is one that nobody else is, so that the machine's limit stays as it is and nobody runs into it. Needs root, to become him.
"""

import contextlib
import ctypes
import os
import pathlib
import subprocess
import sys
import unittest

from support import TestCase

USER = 61234
INSTANCES = 100  # of at most 128: the files that are watched by each need not be many then
libc = ctypes.CDLL(None, use_errno=True)

# From linux/capability.h and linux/prctl.h.
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN = 1, 2, 21
PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 47, 2
CAPABILITY_VERSION_3 = 0x20080522


def become(*capabilities):
    """What a child does before it begins: another user, with these capabilities of root's alone."""
    def begin():
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
        some = sum(1 << capability for capability in capabilities)
        header, data = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)(some, some, some, 0, 0, 0)
        if libc.capset(header, data) != 0:
            raise OSError(ctypes.get_errno(), "capset")
        for capability in capabilities:
            if libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "prctl")
    return begin


# Takes every watch that its user may have, but as many as it is told to leave.
FILL = """
import ctypes, itertools, os, sys
libc = ctypes.CDLL(None)
folder, instances, left = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
descriptors = [libc.inotify_init1(0) for _ in range(instances)]
watches = []
for number in itertools.count():
    name = os.path.join(folder, str(number)).encode()
    os.close(os.open(name, os.O_CREAT, 0o600))
    some = [(descriptor, libc.inotify_add_watch(descriptor, name, 0x4)) for descriptor in descriptors]  # IN_ATTRIB
    watches += [watch for watch in some if watch[1] >= 0]
    if some[-1][1] < 0:
        break
for descriptor, watch in watches[-left:]:
    libc.inotify_rm_watch(descriptor, watch)
print("full", flush=True)
sys.stdin.read()
"""


def can_become():
    try:
        return os.geteuid() == 0 and subprocess.run(["true"], preexec_fn=become(CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN)).returncode == 0
    except subprocess.SubprocessError:
        return False


@unittest.skipUnless(can_become(), "needs all of root's powers, to become another user with some of them")
class UsedUp(TestCase):
    CONFIG = """
[[sources]]
name = "tree"
type = "file_change"
path = "tree"
handler = "show"
[handlers.show]
run = ["echo", "{files}"]
"""

    @contextlib.contextmanager
    def others_have_all_but(self, left):
        folder = pathlib.Path(self.folder) / "others"
        folder.mkdir()
        os.chown(folder, USER, USER)
        with subprocess.Popen([sys.executable, "-c", FILL, str(folder), str(INSTANCES), str(left)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=become(CAP_DAC_OVERRIDE)) as others:
            try:
                self.assertEqual(others.stdout.readline(), b"full\n")
                yield
            finally:
                others.kill()

    def start(self, *capabilities):
        work = self.project(self.CONFIG)
        for path in [work.path, *work.path.iterdir()]:
            os.chown(path, USER, USER)
        for number in range(200):
            (work.path / "tree" / str(number)).mkdir(parents=True)
        return work, self.daemon(work, preexec=become(CAP_DAC_OVERRIDE, *capabilities))

    def written(self, work, daemon, name):
        (work.path / "tree" / name).write_text("x")
        self.assertEqual(work.run_output(daemon.wait_run("show")["run"]).strip(), str(work.path / "tree" / name))

    def test_fanotify_takes_over_where_the_process_may_use_it(self):
        with self.others_have_all_but(60):
            work, daemon = self.start(CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN)
            source = daemon.status()["sources"][0]
            self.assertEqual(source["state"], "running", source)
            self.assertIn("fanotify", source["note"])
            self.written(work, daemon, "199/a")
            self.written(work, daemon, "0/b")

    def test_without_it_the_source_says_what_helps(self):
        with self.others_have_all_but(60):
            work, daemon = self.start()
            source = daemon.status()["sources"][0]
            self.assertEqual(source["state"], "degraded", source)
            self.assertIn("fs.inotify.max_user_watches", source["cure"])


if __name__ == "__main__":
    unittest.main()
