"""The command line without a daemon: one-shot events, configuration, help."""

import contextlib
import http.server
import json
import os
import pathlib
import re
import subprocess
import threading
import unittest

from support import HARK, TestCase

CONFIG = """
[[sources]]
name = "hook"
type = "webhook"
path = "/x"
secret = "top-secret-value"
where = "payload.ref:main"
handler = "show"
[handlers.show]
steps = [
  { name = "first", run = "printf '%s\\n' {payload.text}" },
  { name = "second", run = "test {steps.first.output} = good", if = "payload.check:*" },
]
"""


class Manual(TestCase):
    def test_its_example_is_a_good_configuration(self):
        page = (pathlib.Path(__file__).parents[2] / "man/hark.toml.5").read_text()
        page = page[page.index(".Sh EXAMPLES"):]
        webhook, steps, recipe = (block.split("\n", 1)[1].split(".Ed")[0] for block in page.split(".Bd -literal")[1:])
        project = self.project(webhook)
        self.assertIn("good", project.hark("config", "check", env={"GITHUB_SECRET": "x"}).stdout)
        (project.path / "recipes").mkdir()
        (project.path / "recipes/lint.toml").write_text(recipe)
        project.configure(steps)
        self.assertIn("good", project.hark("config", "check").stdout)


class Event(TestCase):
    def test_a_subject_is_what_a_filter_sees(self):
        project = self.project(CONFIG.replace('where = "payload.ref:main', 'where = "subject:push,payload.ref:main', 1))
        asked = ("event", "--type", "webhook", "--payload", '{"ref": "main", "text": "good"}', "--dry-run", "--json")
        self.assertEqual(json.loads(project.hark(*asked).stdout)["handlers"], [])
        self.assertEqual(len(json.loads(project.hark(*asked, "--subject", "push").stdout)["handlers"]), 1)

    def test_the_exit_status_is_the_result(self):
        project = self.project(CONFIG)
        done = project.hark("event", "--type", "webhook", "--payload", '{"ref": "main", "text": "good", "check": 1}', "--json")
        outcome = json.loads(done.stdout)
        self.assertRegex(outcome["event"]["time"], r"^20\d\d-")
        self.assertEqual(outcome["event"]["correlation_id"], outcome["event"]["id"])
        self.assertEqual([step["state"] for step in outcome["runs"][0]["steps"]], ["succeeded", "succeeded"])
        project.hark("event", "--type", "webhook", "--payload", '{"ref": "main", "text": "bad", "check": 1}', status=1)
        self.assertEqual([run["state"] for run in project.runs()], ["failed", "succeeded"])

    def test_what_nobody_wants_says_why(self):
        project = self.project(CONFIG)
        done = project.hark("event", "--type", "webhook", "--payload", '{"ref": "dev"}')
        self.assertIn("payload.ref is 'dev'", done.stderr)
        self.assertIn("no source", project.hark("event", "--type", "gossip", status=None).stderr)

    def test_a_dry_run_shows_and_touches_nothing(self):
        project = self.project(CONFIG)
        done = project.hark("event", "--type", "webhook", "--payload", '{"ref": "main", "text": "$(id)"}', "--dry-run")
        self.assertIn("HARK_V0", done.stdout)
        self.assertIn("$(id)", done.stdout)
        self.assertFalse((project.path / ".hark").exists())

    def test_a_dry_run_does_not_guess_what_an_element_is(self):
        project = self.project('[handlers.each]\nsteps = [{ name = "two", foreach = ["red", "blue"], if = "item:red", run = "echo {item}" }]\n')
        shown = project.hark("event", "--handler", "each", "--dry-run").stdout
        self.assertIn("item:red", shown)
        self.assertNotIn("skipped", shown)

    def test_a_retry_is_told_while_it_is_waited_for(self):
        project = self.project('[handlers.twice]\nretry = { attempts = 2, backoff = "1ms" }\nrun = "echo why >&2; exit 3"\n')
        said = project.hark("event", "--handler", "twice", status=1).stderr
        self.assertRegex(said, r"hark: 'twice': attempt 1 failed, another follows at \S+Z: exit status 3: why")

    def test_a_dry_run_shows_what_decides_and_bounds_each_step(self):
        project = self.project("""
[[sources]]
name = "hook"
type = "webhook"
path = "/x"
unsigned = true
where = "payload.ref:main"
handler = "ship"
[handlers.ship]
timeout = "10m"
retry = { attempts = 4, backoff = "2s" }
steps = [
  { name = "build", run = "ninja {payload.ref}", timeout = "5m", retry = { attempts = 3, max_backoff = "20s" } },
  { name = "tell", http = { url = "http://localhost/{payload.ref}", json = { ref = "{payload.ref}" } }, if = "steps.build.exit_code:0" },
]
""")
        request = ("event", "--type", "webhook", "--dry-run", "--payload")
        done = project.hark(*request, '{"ref": "main"}')
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout.split("\nship  ")[1], """timeout 10m  4 attempts, pauses from 2s to 1m
  build (run)  timeout 5m  3 attempts, pauses from 1s to 20s
    ninja "${HARK_V0}"
    HARK_V0=main
  tell (http)
    if: steps.build.exit_code:0 (not known yet)
    POST http://localhost/main
    Content-Type: application/json
    
    {"ref":"main"}
""")
        refused = project.hark(*request, '{"ref": "dev"}')
        self.assertIn("payload.ref is 'dev'", refused.stdout)
        steps = json.loads(project.hark(*request, '{"ref": "main"}', "--json").stdout)["handlers"][0]["steps"]
        self.assertEqual([step["attempts"] for step in steps], [3, 1])
        self.assertEqual([step.get("if") for step in steps], [None, "steps.build.exit_code:0"])

    def test_an_http_status_is_called_one(self):
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        project = self.project(f'[handlers.h]\nhttp = {{ url = "http://127.0.0.1:{server.server_port}/" }}\n')
        shown = project.hark("event", "--handler", "h").stdout
        self.assertIn("status 204", shown)
        self.assertNotIn("exit", shown)

    def test_what_a_command_complained_of_last_is_why_its_run_failed(self):
        project = self.project("[handlers.h]\nrun = 'pytset -q'\n")
        self.assertIn("\n  exit status 127: ", project.hark("event", "--handler", "h", status=1).stdout)
        self.assertRegex(project.hark("history").stdout, r"failed .* exit status 127: .*pytset: not found")

    def test_a_handler_can_be_named(self):
        project = self.project(CONFIG)
        done = project.hark("event", "--handler", "show", "--payload", '{"text": "x"}')
        self.assertIn("x", done.stdout)


    def test_a_lost_state_file_does_not_lose_the_last_run(self):
        project = self.project("[handlers.h]\nrun = 'echo since {last_run}'\n")
        outputs = [project.hark("event", "--handler", "h").stdout for _ in range(2)]
        self.assertIn("since 1970", outputs[0])
        (project.path / ".hark/state.json").write_text("{")
        done = project.hark("event", "--handler", "h")
        self.assertIn("kept as", done.stderr)
        self.assertNotIn("since 1970", done.stdout)

    def test_what_is_beyond_the_retention_goes_also_without_a_daemon(self):
        project = self.project('retention_events = 1\n[handlers.h]\nrun = "head -c 100000 /dev/zero"\n')
        for _ in range(3):
            project.hark("event", "--handler", "h")
        self.assertEqual(len(project.runs()), 1)
        self.assertEqual([path.name for path in (project.path / ".hark/runs").iterdir()], [run["id"] for run in project.runs()])

    def test_data_with_a_key_twice_is_refused(self):
        project = self.project(CONFIG)
        for words in (("event", "--handler", "show"), ("daemon", "trigger", "--handler", "show")):
            self.assertIn('the key "s" is there more than once', project.hark(*words, "--payload", '{"s": 0, "s": 1}', status=2).stderr)


class Output(TestCase):
    def test_what_cannot_be_written_is_no_success(self):
        project = self.project(CONFIG)
        project.hark("event", "--handler", "show", "--payload", '{"text": "x"}')
        for words in ("history", "history --json", "history --events", "config check", "config show", "cron next @daily", "--help", "--version"):
            config = [] if words.split()[0] in ("cron", "--help", "--version") else ["--config", project.config]
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([HARK, *words.split(), *config], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 74, words)
            self.assertIn("hark: standard output could not be written: No space left on device", done.stderr, words)


class Configuration(TestCase):
    def test_all_errors_at_once_each_with_its_place(self):
        project = self.project('webhok_port = 1\nmax_concurrent_handlers = "four"\n[[sources]]\nname = "a"\ntype = "schedule"\ncron = "99 * * * *"\nhandler = "shw"\n[handlers.show]\nrun = "true"\n')
        for command in (("config", "check"), ("daemon",), ("event",)):
            refused = project.hark(*command, status=78)
            for expected in ("hark.toml:3:1:", "webhook_port", "hark.toml:4:", "hark.toml:8:", "hark.toml:9:", "show"):
                self.assertIn(expected, refused.stderr)
        self.assertEqual(len(json.loads(project.hark("config", "check", "--json", status=78).stdout)["errors"]), 4)

    def test_malformed_toml_names_the_place(self):
        project = self.project("[handlers.x\nrun = 1\n")
        self.assertRegex(project.hark("config", "check", status=78).stderr, r"hark\.toml:3:\d+: ")

    def test_show_masks_secrets_and_says_where_values_come_from(self):
        project = self.project(CONFIG)
        shown = project.hark("config", "show").stdout
        self.assertNotIn("top-secret-value", shown)
        self.assertIn("hark.toml:", shown)
        self.assertIn("default", shown)
        json.loads(project.hark("config", "show", "--json").stdout)

    def test_a_handler_without_a_source_is_told_to_who_asks_and_not_at_every_start(self):
        project = self.project("[handlers.alone]\nrun = 'true'\n")
        daemon = self.daemon(project)
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn("no source uses", daemon.text())
        self.assertIn('[[sources]] type = "manual"', project.hark("config", "check").stderr)
        self.assertEqual(len(json.loads(project.hark("config", "check", "--json").stdout)["hints"]), 1)

    def test_no_configuration_says_where_it_looked(self):
        done = subprocess.run([HARK, "daemon"], capture_output=True, text=True, cwd=self.folder, env={"HOME": self.folder, "PATH": "/usr/bin:/bin"})
        self.assertEqual(done.returncode, 78)
        self.assertIn("hark.toml", done.stderr)
        self.assertNotIn("1 error", done.stderr)

    def test_a_file_that_is_not_there_is_named_once(self):
        done = subprocess.run([HARK, "config", "check", "--config", "none.toml"], capture_output=True, text=True, cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (78, "no such file: none.toml\n"))


class Installation(TestCase):
    def test_a_copy_finds_its_profiles_whatever_prefix_it_was_built_for(self):
        prefix = pathlib.Path(self.folder) / "copy"
        subprocess.run(["cmake", "--install", pathlib.Path(HARK).parent, "--prefix", prefix], check=True, capture_output=True)
        done = subprocess.run([prefix / "bin/hark", "config", "check", "--profile", "quickstart"], capture_output=True, text=True, cwd=self.folder,
                              env={"PATH": os.environ["PATH"], "HOME": self.folder, "HARK_DEMO_SECRET": "x"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(str(prefix / "share/hark/profiles/quickstart.toml"), done.stdout)
        self.assertNotIn("no source uses", done.stderr)


class Words(TestCase):
    def run_hark(self, *words):
        return subprocess.run([HARK, *words], capture_output=True, text=True, cwd=self.folder)

    def test_every_command_has_help_with_an_example(self):
        commands = ["daemon", "daemon status", "daemon stop", "daemon trigger", "daemon history", "daemon pause", "daemon resume", "daemon reload", "event", "history", "explain",
                    "daemon cancel", "token create", "token show", "dead-letters", "dead-letters list", "dead-letters show", "dead-letters retry", "dead-letters discard", "replay", "config check", "config show", "config plan", "cron next", "cron explain"]
        for command in commands:
            done = self.run_hark(*command.split(), "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertIn("Example:\n  hark " + command, done.stdout, command)

    def test_help_and_the_manual_page_name_the_same_options(self):
        page = (pathlib.Path(__file__).parents[2] / "man/hark.1").read_text()
        body = page.split(".Sh DESCRIPTION\n")[1].split("\n.Sh ")[0]
        common, *sections = body.split("\n.Ss ")
        named = {}
        for section in sections:
            title, _, text = section.partition("\n")
            for command in title.removeprefix("hark ").split(" , hark "):
                named[command] = self.options_of_page(text)
        common = self.options_of_page(common)
        helped = {command: self.options_of_help(self.run_hark(*command.split(), "--help").stdout) for command in named}
        self.assertEqual(len(named), 32)
        for command, options in helped.items():
            self.assertEqual(options - common, named[command], command)
        self.assertEqual(common, self.options_of_help(self.run_hark("--help").stdout) | (common & set.union(*helped.values())))

    def test_help_speaks_of_values_in_words(self):
        for command in ("daemon", "daemon trigger", "daemon pause", "event", "history", "explain", "dead-letters list", "dead-letters retry", "replay", "cron next", "cron explain"):
            self.assertNotRegex(self.run_hark(*command.split(), "--help").stdout, r"TEXT|INT|Excludes|REQUIRED|=\d", command)

    def options_of_page(self, text):
        """Of mdoc: `.It Fl n Ar count , Fl -limit Ar count`, `.Fl n , -limit`."""
        words = [line for line in text.splitlines() if line.startswith((".It Fl", ".Fl"))]
        return {"-" + option for line in words for flags in re.findall(r"Fl ((?:-?[\w-]+)(?: , -[\w-]+)*)", line) for option in flags.split(" , ")}

    def options_of_help(self, text):
        return {option for line in re.findall(r"^  (-\S+)", text, re.M) for option in line.split(",")}

    def test_misspelt_words_get_the_nearest(self):
        for words, near in ((["deamon"], "daemon"), (["daemon", "trigge"], "trigger"), (["config", "chek"], "check"), (["history", "--limt", "3"], "--limit"),
                            (["daemon", "--config", "x", "--backgrund"], "--background")):
            done = self.run_hark(*words)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"did you mean '{near}'", done.stderr)
        self.assertEqual(self.run_hark().returncode, 2)
        self.assertEqual(self.run_hark("--version").stdout.split()[0], "hark")

    def test_cron_next(self):
        done = self.run_hark("cron", "next", "0 9 * * MON", "--timezone", "Europe/Berlin", "-n", "3")
        self.assertEqual(done.returncode, 0)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertRegex(line, r"^Mon \d{4}-\d\d-\d\d 09:00:00 \+0[12]:00$")
        self.assertEqual(len(json.loads(self.run_hark("cron", "next", "@daily", "--json").stdout)["next"]), 5)
        wrong = self.run_hark("cron", "next", "0 22-2 * * *")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("22-23,0-2", wrong.stderr)
        unquoted = self.run_hark("cron", "next", "0", "9", "*", "*", "1")
        self.assertEqual(unquoted.returncode, 2)
        self.assertIn("came as 5 words", unquoted.stderr)
        self.assertIn("quote it", unquoted.stderr)

    def test_explain_is_asked_of_an_event_or_of_what_was_refused(self):
        for words, said in (((), "id, or --refused, is required"), (("--source", "x"), "--source requires --refused"), (("E1", "--refused"), "id excludes --refused"),
                            (("--refused", "--source", "a/b"), "'a/b' is no source's name")):
            done = self.run_hark("explain", *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(said, done.stderr)

    def test_what_beginners_type_is_understood_or_answered(self):
        for words, said in (((), "'hark' needs a command: init, daemon, "), (("config",), "'hark config' needs a command: check, show, plan"),
                            (("dead-letters",), "list, show, retry, discard"), (("-c", "x", "history"), "`hark history -c ...`"),
                            (("--config=x", "history"), "'--config' stands behind the command"), (("daemon", "trigger"), "`hark daemon trigger --help`")):
            done = self.run_hark(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(said, done.stderr)
        project = self.project('[handlers.h]\nrun = "true"\n')
        self.assertIn("good: ", subprocess.run([HARK, "config", "check", "hark.toml"], cwd=project.path, capture_output=True, text=True).stdout)

    def test_the_first_word_too_many_is_named(self):
        done = self.run_hark("explain", "a", "b", "c")
        self.assertEqual(done.returncode, 2)
        self.assertIn("'b' is one word too many", done.stderr)


if __name__ == "__main__":
    unittest.main()
