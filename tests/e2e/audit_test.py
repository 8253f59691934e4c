"""The audit: who asked for what, over the socket, with a token, by a signal."""

import json
import os
import pathlib
import signal
import sqlite3
import unittest

from support import TestCase, eventually

CONFIG = """webhook_port = 0
[api]
key_file = "key"
require_token = true
[signals]
emergency_stop = "halt"
[handlers.h]
run = "true"
[handlers.bad]
run = "false"
[handlers.slow]
run = "sleep 100"
"""


class Audit(TestCase):
    def setUp(self):
        super().setUp()
        key = pathlib.Path(self.folder) / "key"
        key.write_text("k" * 40)
        key.chmod(0o600)
        self.box = self.project(CONFIG)
        self.d = self.daemon(self.box)

    def token(self, *scopes):
        words = [word for scope in scopes for word in ("--scope", scope)]
        return {"Authorization": "Bearer " + self.box.hark("token", "create", "--subject", "ci", *words).stdout.strip()}

    def entries(self, *words):
        return json.loads(self.box.hark("audit", "--json", *words).stdout)["entries"]

    def last(self, *members):
        return tuple(self.entries("-n", "1")[0].get(member) for member in members)

    def test_each_thing_that_is_asked_is_there_when_it_is_answered(self):
        here = f"unix:uid={os.getuid()}"
        self.box.hark("daemon", "trigger", "--handler", "h", "--wait")
        event = self.box.events()[0]["id"]
        self.assertEqual(self.last("who", "from", "action", "object", "done"), (None, here, "trigger", "h", True))
        self.box.hark("daemon", "trigger", "--handler", "h")
        newest = self.box.events()[0]["id"]
        self.assertEqual(self.last("action", "outcome"), ("trigger", "event " + newest))
        self.box.hark("replay", event)
        self.assertEqual(self.last("action", "object", "done"), ("replay", event, True))
        self.box.hark("daemon", "trigger", "--handler", "bad", "--wait", status=None)
        dead = self.box.runs(handler="bad")[0]["id"]
        self.box.hark("dead-letters", "retry", dead)
        self.assertEqual(self.last("action", "object", "done"), ("retry", dead, True))
        eventually(lambda: self.box.runs(handler="bad")[0]["attempt"] == 2 and self.box.runs(handler="bad")[0]["state"] == "failed")
        self.box.hark("dead-letters", "discard", dead)
        self.assertEqual(self.last("action", "object", "done"), ("discard", dead, True))
        self.box.hark("daemon", "cancel", dead, status=1)
        self.assertEqual(self.last("action", "object", "done"), ("cancel", dead, False))
        self.assertIn("not under way", self.last("outcome")[0])
        self.box.hark("daemon", "pause", "--handler", "h")
        self.assertEqual(self.last("action", "object", "done"), ("pause", "h", True))
        self.box.hark("daemon", "resume")
        self.assertEqual(self.last("action", "object", "done"), ("resume", None, True))
        self.box.configure(CONFIG + "# more\n")
        self.box.hark("daemon", "reload")
        self.assertEqual(self.last("action", "done"), ("reload", True))
        count = len(self.entries())
        self.box.hark("config", "plan")
        self.assertEqual(len(self.entries()), count)  # what a reload would do is only told
        self.d.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.last("from", "action") == ("SIGHUP", "reload"))
        self.box.hark("daemon", "emergency-stop")
        self.assertEqual(self.last("action", "done"), ("emergency-stop", True))
        self.box.hark("daemon", "resume")
        self.box.hark("daemon", "stop")
        self.assertEqual(self.d.process.wait(60), 0)
        self.assertEqual(self.last("from", "action", "done"), (here, "stop", True))
        self.assertEqual([entry["sequence"] for entry in self.entries()], list(range(len(self.entries()), 0, -1)))

    def test_the_token_s_subject_and_its_address_stand_there_and_what_it_may_not(self):
        self.assertEqual(self.d.request("POST", "/api/handlers/h/trigger", "{}", self.token("runs:write"))[0], 202)
        self.assertEqual(self.last("who", "from", "action", "object", "done"), ("ci", "127.0.0.1", "trigger", "h", True))
        self.assertEqual(self.d.request("POST", "/api/control/emergency-stop", "", self.token("runs:write"))[0], 403)
        self.assertEqual(self.last("who", "action", "done", "outcome"), ("ci", "emergency-stop", False, "the token does not allow this: it needs the scope control"))
        # Who is nobody has not asked for anything.
        self.assertEqual(self.d.request("POST", "/api/handlers/h/trigger", "{}")[0], 401)
        self.assertEqual(len(self.entries()), 2)
        self.assertEqual(self.d.request("GET", "/api/audit", headers=self.token("runs:read"))[0], 403)
        status, _, body = self.d.request("GET", "/api/audit?action=trigger", headers=self.token("control"))
        self.assertEqual((status, [entry["who"] for entry in json.loads(body)["entries"]]), (200, ["ci"]))
        self.assertEqual(len(self.entries("--who", "ci")), 2)
        self.assertEqual(len(self.entries("--who", "joe")), 0)

    def test_a_signal_of_the_bus_is_there_with_who_published_it(self):
        self.assertEqual(self.d.request("POST", "/api/events/emergency_stop", "{}", self.token("events:publish", "control"))[0], 202)
        event = self.box.events()[0]["id"]
        self.assertEqual(self.last("from", "action", "object", "done", "outcome"), ("publishers/ci", "signal", "emergency_stop", True, "event " + event))

    def test_nothing_changes_an_entry_and_kill_takes_none(self):
        self.box.hark("daemon", "trigger", "--handler", "h")
        self.d.kill()
        self.assertEqual(len(self.entries()), 1)
        with sqlite3.connect(self.box.path / ".hark/journal.db") as journal:
            with self.assertRaisesRegex(sqlite3.IntegrityError, "only ever added to"):
                journal.execute("UPDATE audit SET who = 'nobody'")

    def test_how_it_looks(self):
        self.assertEqual(self.box.hark("audit").stderr, "hark: nothing was asked of a daemon yet\n")
        self.box.hark("daemon", "pause")
        self.assertEqual(self.box.hark("audit", "--action", "cancel").stderr, "hark: nothing of this was asked of a daemon\n")
        for columns in (60, 80, 120):
            lines = self.box.on_terminal(columns, "audit")
            self.assertTrue(all(len(line) <= columns for line in lines), lines)
            self.assertIn("pause", lines[1])
            self.assertIn("done", lines[1])


if __name__ == "__main__":
    unittest.main()
