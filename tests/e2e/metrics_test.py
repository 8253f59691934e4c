"""The metrics, judged by Prometheus itself: promtool, and a server that scrapes a daemon and evaluates the rules and the dashboard that are shipped."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import unittest
import urllib.parse
import urllib.request

from support import DEADLINE, TestCase, eventually

HERE = pathlib.Path(__file__).resolve().parents[2]
MONITORING = HERE / "monitoring"

CONFIG = """webhook_port = 0
max_concurrent_handlers = 3
[api]
key_file = "key"
[[sources]]
name = "hook"
type = "webhook"
path = "/x"
secret = "s"
where = "payload.wanted:true"
handlers = ["plain", "steps"]
[[sources]]
name = "tree"
type = "file_change"
path = "tree"
handler = "plain"
[providers.model]
type = "command"
command = "cat"
[handlers.plain]
run = "true"
expect_every = "1d"
breaker = { failures = 3 }
[handlers.bad]
run = "false"
[handlers.steps]
gates = [{ name = "good", run = "true" }]
steps = [{ name = "ask", prompt = "hello", provider = "model" }, { name = "each", foreach = ["a", "b", "c"], run = "true" }]
"""


def samples(text):
    """{name: {labels: value}}; labels as they are written."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            name, _, labels = series.partition("{")
            found.setdefault(name, {})[labels.rstrip("}")] = float(value)
    return found


def family(name):
    return re.sub("_(bucket|sum|count)$", "", name)


class Metrics(TestCase):
    def at_work(self):
        """A daemon that has done some of everything."""
        key = pathlib.Path(self.folder) / "key"
        key.write_text("k" * 40)
        key.chmod(0o600)
        (pathlib.Path(self.folder) / "tree").mkdir()
        project = self.project(CONFIG)
        daemon = self.daemon(project)
        daemon.post_signed("/x", {"wanted": True}, "s")
        daemon.wait_run("steps")
        daemon.post_signed("/x", {"wanted": False}, "s")
        daemon.post_signed("/x", {}, "another")
        (project.path / "tree/file").write_text("x")
        project.hark("daemon", "trigger", "--handler", "bad", "--wait", status=None)
        project.hark("publish", "story:told", "--data", "1")
        project.hark("wait", "story:told", "--timeout", "0s", status=None)
        eventually(lambda: samples(self.metrics(daemon))["hark_runs_total"].get('handler="plain",state="succeeded"') == 2)
        return daemon

    def metrics(self, daemon):
        status, headers, body = daemon.request("GET", "/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        return body.decode()

    def test_promtool_has_nothing_to_say(self):
        text = self.metrics(self.at_work())
        judged = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=DEADLINE)
        self.assertEqual((judged.returncode, judged.stdout, judged.stderr), (0, "", ""))

    def test_what_is_counted(self):
        found = samples(self.metrics(self.at_work()))
        for name, labels, value in (
                ("hark_events_received_total", 'source="hook",type="webhook"', 2),
                ("hark_events_received_total", 'source="publishers",type="story:told"', 1),
                ("hark_event_decisions_total", 'decision="queued",source="hook",type="webhook"', 2),
                ("hark_event_decisions_total", 'decision="filter",source="hook",type="webhook"', 1),
                ("hark_refused_total", 'reason="signature",source="hook"', 1),
                ("hark_runs_total", 'handler="steps",state="succeeded"', 1),
                ("hark_runs_total", 'handler="bad",state="failed"', 1),
                ("hark_dead_letters_total", 'handler="bad"', 1),
                ("hark_dead_letters", "", 1),
                ("hark_steps_total", 'handler="steps",state="succeeded",step="ask"', 1),
                ("hark_steps_total", 'handler="steps",state="succeeded",step="each.*"', 3),
                ("hark_gate_checks_total", 'gate="good",handler="steps",result="passed"', 1),
                ("hark_iterations_total", 'handler="steps",result="passed"', 1),
                ("hark_provider_calls_total", 'outcome="succeeded",provider="model"', 1),
                ("hark_run_duration_seconds_count", 'handler="steps"', 1),
                ("hark_run_waiting_seconds_count", "", 4),
                ("hark_handler_runs", 'handler="bad",state="waiting"', 0),
                ("hark_handler_overdue", 'handler="plain"', 0),
                ("hark_handler_breaker_open", 'handler="plain"', 0),
                ("hark_source_up", 'source="hook",type="webhook"', 1),
                ("hark_state", 'state="running"', 1),
                ("hark_state", 'state="halted"', 0),
                ("hark_runs_most", "", 3),
                ("hark_oldest_waiting_seconds", "", 0),
                ("hark_journal_up", "", 1),
                ("hark_config_last_reload_successful", "", 1)):
            self.assertEqual(found[name].get(labels), value, (name, labels, found[name]))
        # Of a handler of one step they would say what its runs say.
        self.assertFalse([labels for labels in found["hark_steps_total"] if "plain" in labels])
        self.assertGreater(found["hark_source_watches"]['source="tree"'], 0)
        self.assertGreaterEqual(found["hark_journal_commit_duration_seconds_count"][""], 5)
        self.assertGreaterEqual(found["hark_journal_sync_group_size_sum"][""], found["hark_journal_sync_duration_seconds_count"][""])
        for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes", "process_open_fds", "process_max_fds", "process_threads",
                     "process_start_time_seconds", "hark_journal_size_bytes", "hark_handler_last_success_timestamp_seconds"):
            self.assertGreater(next(iter(found[name].values())), 0, name)

    def test_states_are_told(self):
        project = self.project('webhook_port = 0\nmax_concurrent_handlers = 1\n[handlers.h]\nrun = "cat gate"\n[handlers.g]\nrun = "true"\n')
        os.mkfifo(project.path / "gate")
        daemon = self.daemon(project)
        for _ in range(3):
            project.hark("daemon", "trigger", "--handler", "h")
        daemon.wait_for(lambda line: line.get("name") == "run:started")
        found = samples(self.metrics(daemon))
        self.assertEqual((found["hark_runs"]['state="running"'], found["hark_runs"]['state="waiting"']), (1, 2))
        self.assertEqual(found["hark_handler_runs"]['handler="h",state="waiting"'], 2)
        first = found["hark_oldest_waiting_seconds"][""]
        self.assertGreater(first, 0)
        project.hark("daemon", "pause")
        project.configure("wrong = 1\n")
        project.hark("daemon", "reload", status=None)
        found = samples(self.metrics(daemon))
        self.assertEqual(found["hark_state"]['state="paused"'], 1)
        self.assertEqual(found["hark_config_last_reload_successful"][""], 0)
        self.assertGreater(found["hark_oldest_waiting_seconds"][""], first)
        project.hark("daemon", "emergency-stop")
        self.assertEqual(samples(self.metrics(daemon))["hark_state"], {'state="running"': 0, 'state="paused"': 0, 'state="halted"': 1, 'state="draining"': 0})

    def test_events_cannot_make_series_at_will(self):
        daemon = self.daemon(self.project('webhook_port = 0\n[handlers.h]\nrun = "true"\n'))
        batch = [{"specversion": "1.0", "id": str(i), "type": f"made.up.{i}", "source": f"/nobody/{i}"} for i in range(500)]
        for at in range(0, 500, 100):
            self.assertEqual(daemon.request("POST", "/api/events", json.dumps(batch[at:at + 100]), {"Content-Type": "application/cloudevents-batch+json"})[0], 202)
        found = samples(self.metrics(daemon))["hark_events_received_total"]
        self.assertEqual(len(found), 201)
        self.assertEqual(found['source="publishers",type="(other)"'], 300)

    def test_every_metric_is_documented_and_every_documented_one_is_there(self):
        there = {family(name) for name in samples(self.metrics(self.at_work()))}
        documented = set(re.findall(r"`((?:hark|process)_[a-z_]+)`", (HERE / "docs/monitoring.md").read_text().split("## What there is")[1]))
        # These need a fault, a price or a minute: the unit tests have them.
        self.assertEqual(documented - there, {"hark_subscriber_errors_total", "hark_reports_lost_total", "hark_cost_usd_total", "hark_tokens_total", "hark_overdue_total",
                                              "hark_run_retries_total", "hark_source_errors_total"})
        self.assertEqual(there - documented, set())


class Prometheus(TestCase):
    """A server of Prometheus that scrapes the daemon over TCP with a token."""

    def setUp(self):
        super().setUp()
        key = pathlib.Path(self.folder) / "key"
        key.write_text("k" * 40)
        key.chmod(0o600)
        (pathlib.Path(self.folder) / "tree").mkdir()
        project = self.project(CONFIG.replace("[api]", "[api]\nrequire_token = true"))
        self.daemon_ = self.daemon(project)
        token = project.hark("token", "create", "--subject", "prometheus", "--scope", "runs:read").stdout.strip()
        (project.path / "token").write_text(token)
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (project.path / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(MONITORING / "alerts.yml")],
            "scrape_configs": [{"job_name": "hark", "authorization": {"credentials_file": str(project.path / "token")},
                                "static_configs": [{"targets": [f"127.0.0.1:{self.daemon_.port}"]}]}]}))
        self.log = open(project.path / "prometheus.log", "wb")
        self.addCleanup(self.log.close)
        server = subprocess.Popen(["prometheus", f"--config.file={project.path}/prometheus.yml", f"--storage.tsdb.path={project.path}/tsdb",
                                   f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log)
        self.addCleanup(lambda: (server.kill(), server.wait()))
        self.project_ = project
        eventually(lambda: self.asked("up") == [1.0])

    def ask(self, path, **query):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=DEADLINE) as answer:
                return json.load(answer)["data"]
        except (OSError, urllib.error.URLError):
            return None  # it has not begun yet

    def asked(self, expression):
        answer = self.ask("query", query=expression)
        return answer and [float(one["value"][1]) for one in answer["result"]]

    def test_it_scrapes_with_a_token_and_judges_the_rules(self):
        self.daemon_.post_signed("/x", {"wanted": True}, "s")
        self.daemon_.wait_run("steps")
        eventually(lambda: self.asked('hark_runs_total{handler="steps",state="succeeded"}') == [1.0])
        rules = {}

        def judged():
            for group in self.ask("rules")["groups"]:
                rules.update({rule["name"]: rule["health"] for rule in group["rules"]})
            return all(health != "unknown" for health in rules.values())
        eventually(judged)
        self.assertEqual(set(rules.values()), {"ok"})
        self.assertEqual(len(rules), 16)
        # One of them comes about.
        self.assertEqual([alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"]], [])
        self.project_.hark("daemon", "emergency-stop")
        eventually(lambda: [alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"]] == ["HarkHalted"])

    def test_the_dashboard_asks_for_what_is_there(self):
        for _ in range(3):
            self.daemon_.post_signed("/x", {"wanted": True}, "s")
            self.daemon_.wait_run("steps")
        (self.project_.path / "tree/file").write_text("x")
        self.project_.hark("daemon", "trigger", "--handler", "bad", "--wait", status=None)
        eventually(lambda: self.asked("hark_dead_letters") == [1.0])
        dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
        expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        self.assertGreater(len(expressions), 30)
        names = set(self.ask("label/__name__/values"))
        # Which a daemon has only after something has failed, or with a model that counts.
        rare = {"hark_run_retries_total", "hark_tokens_total", "hark_cost_usd_total", "hark_refused_total"}
        for expression in expressions:
            for name in re.findall(r"(?:hark|process)_[a-z_]+", expression):
                self.assertTrue(name in names or name in rare, name)
            asked = expression.replace("$__rate_interval", "5s").replace("$job", ".*").replace("$instance", ".*").replace("$handler", ".*")
            self.assertIsNotNone(self.ask("query", query=asked), expression)
        self.assertNotIn("$", "".join(re.sub(r"\$(__rate_interval|job|instance|handler)", "", each) for each in expressions))

    def test_the_commands_that_alerts_name_are_there(self):
        commands = set(re.findall(r"`(hark [^`]*)`", (MONITORING / "alerts.yml").read_text()))
        self.assertGreater(len(commands), 5)
        for command in commands:
            words = [re.sub(r"{{.*?}}", "x", word) for word in re.sub(r"{{ (\S+) }}", r"{{\1}}", command).split()[1:]]
            self.assertEqual(self.project_.hark(*words, "--help").stderr, "", command)

    def test_the_rules_have_tests_of_their_own(self):
        judged = subprocess.run(["promtool", "test", "rules", "alerts_test.yml"], cwd=MONITORING, capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)
        judged = subprocess.run(["promtool", "check", "rules", "alerts.yml"], cwd=MONITORING, capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)


if __name__ == "__main__":
    unittest.main()
