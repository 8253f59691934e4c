"""Many readers together with a flood of webhooks: nobody misses an event, nobody gets one twice, and the flood is taken."""

import os
import pathlib
import subprocess
import unittest

from support import HARK, TestCase, eventually

PROGRAMS = pathlib.Path(HARK).parent / "bench"
READERS, SECONDS = 500, 10

CONFIG = """
webhook_port = 0
[[sources]]
type = "webhook"
path = "/hook"
secret = "secret-of-the-load"
handler = "h"
[handlers.h]
run = ["/bin/true"]
"""


@unittest.skipUnless((PROGRAMS / "bench_bus_load").exists(), "built without its load")
class Load(TestCase):
    def test_streams_and_polls_and_a_flood_of_webhooks(self):
        box = self.project(CONFIG, log_level="warn")
        daemon = self.daemon(box, ready=False)  # it says so in a line that is not logged here
        eventually(lambda: box.hark("daemon", "status", status=None).returncode == 0)
        port = str(daemon.port)
        with subprocess.Popen([PROGRAMS / "bench_http_load", port, "/hook", "X-Signature", "secret-of-the-load", "64", str(SECONDS)], stdout=subprocess.PIPE, text=True) as flood:
            held = subprocess.run([PROGRAMS / "bench_bus_load", "hark", port, "hold", str(READERS), str(SECONDS)], capture_output=True, text=True, timeout=300)
            accepted = flood.communicate(timeout=300)[0]
        self.assertEqual(held.returncode, 0, held.stderr)
        self.assertEqual(int(held.stdout.split()[0]), SECONDS * 20)
        self.assertEqual(flood.returncode, 0)
        self.assertGreater(float(accepted), 0)


if __name__ == "__main__":
    unittest.main()
