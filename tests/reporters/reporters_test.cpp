#include <doctest/doctest.h>

#include <fstream>
#include <future>
#include <sstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "reporters/detached.h"
#include "reporters/line_limit.h"
#include "reporters/log.h"
#include "reporters/metrics.h"
#include "tests/support/temporary_folder.h"

using namespace hark;
using namespace std::chrono_literals;

namespace {

EventPtr event(std::string subject = {}) {
  Event made;
  made.id = "E1";
  made.type = "webhook";
  made.source = "hook";
  made.subject = std::move(subject);
  made.correlation_id = "C1";
  return std::make_shared<const Event>(std::move(made));
}

RunPtr run(RunState state) {
  Run made;
  made.id = "R1";
  made.handler = "deploy";
  made.event_id = "E1";
  made.correlation_id = "C1";
  made.state = state;
  made.started = WallTime{1'790'000'000s};
  made.finished = *made.started + 250ms;
  made.error = state == RunState::failed ? "step 'x' failed" : "";
  return std::make_shared<const Run>(std::move(made));
}

Refusal refusal() {
  Refusal made;
  made.source = "hook";
  made.reason = "signature: no match";
  made.peer = "192.0.2.1";
  made.delivery = "d1";
  return made;
}

const SystemClock kClock;
const Secrets kNoSecrets;

std::string content(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("emitter: a subscriber that throws is counted and the next one is called") {
  lifecycle::Emitter emitter;
  int heard = 0;
  emitter.subscribe("bad", [](const lifecycle::Any&) { throw std::runtime_error("no"); });
  emitter.subscribe("worse", [](const lifecycle::Any&) { throw 5; });
  emitter.subscribe("good", [&](const lifecycle::Any& any) { heard += std::holds_alternative<lifecycle::EventReceived>(any); });
  emitter.emit(lifecycle::EventReceived{event()});
  emitter.emit(lifecycle::EventReceived{event()});
  CHECK(heard == 2);
  REQUIRE(emitter.faults().size() == 2);
  CHECK(emitter.faults()[0].subscriber == "bad");
  CHECK(emitter.faults()[0].what == "no");
  CHECK(emitter.faults()[1].count == 2);
}

TEST_CASE("detached: a subscriber that blocks holds up nobody, and is told what it missed") {
  std::promise<void> entered, go_on;
  std::uint64_t missed = 0;
  int heard = 0;
  {
    Detached detached([](const lifecycle::Any&) { return true; },
                      [&, first = true](const lifecycle::Any&) mutable {
                        ++heard;
                        if (!std::exchange(first, false)) return;
                        entered.set_value();
                        go_on.get_future().wait();
                      },
                      [&](std::uint64_t count) { missed += count; }, 10);
    detached(lifecycle::EventReceived{event()});
    entered.get_future().wait();
    for (int i = 0; i < 25; ++i) detached(lifecycle::EventReceived{event()});  // returns at once, each time
    go_on.set_value();
  }
  CHECK(heard == 11);
  CHECK(missed == 15);
}

TEST_CASE("detached: what is not wanted is not handed over, what throws does not end it") {
  int heard = 0;
  {
    Detached detached([](const lifecycle::Any& any) { return std::holds_alternative<lifecycle::Note>(any); },
                      [&](const lifecycle::Any&) {
                        ++heard;
                        throw std::runtime_error("no");
                      },
                      [](std::uint64_t) {});
    detached(lifecycle::EventReceived{event()});
    detached(lifecycle::Note{"info", "a"});
    detached(lifecycle::Note{"info", "b"});
  }
  CHECK(heard == 2);
}

TEST_CASE("log: every line with ids, nothing from outside can forge one") {
  test::TemporaryFolder folder;
  {
    auto log = Log::open({"info", "text", folder / "log"}, kClock, kNoSecrets);
    REQUIRE(log);
    (*log)->report(lifecycle::EventReceived{event("x\n2026 info forged\x1b[2J\xff\xc2\x9b")});
    (*log)->report(lifecycle::SourceError{"a\" run=R9", "gone", "bring it back"});
    (*log)->report(lifecycle::RunFailed{run(RunState::failed)});
    (*log)->report(lifecycle::RunQueued{run(RunState::queued)});  // debug: not wanted
    CHECK(!(*log)->wants(lifecycle::RunQueued{run(RunState::queued)}));
  }
  const auto text = content(folder / "log");
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  CHECK(text.find("\\n2026 info forged\\x1b[2J") != std::string::npos);
  CHECK(text.find("source=\"a\\\" run=R9\"") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("\xc2\x9b") == std::string::npos);
  CHECK(text.find("event=E1 source=hook correlation=C1") != std::string::npos);
  CHECK(text.find("warn  'deploy' failed: step 'x' failed run=R1 handler=deploy event=E1 correlation=C1") != std::string::npos);
}

TEST_CASE("log: no line holds a secret, also one that became known later, in text or JSON") {
  for (const std::string format : {"text", "json"}) {
    test::TemporaryFolder folder;
    Secrets secrets;
    {
      auto log = Log::open({"info", format, folder / "log"}, kClock, secrets);
      REQUIRE(log);
      secrets.add({"s3cret \"token\""});
      (*log)->report(lifecycle::SourceError{"s3cret \"token\"", "the server said s3cret \"token\"", "ask"});
    }
    const auto text = content(folder / "log");
    CHECK(text.find("the server said ***") != std::string::npos);
    CHECK(text.find("s3cret") == std::string::npos);
  }
}

TEST_CASE("log: a refusal is a warning with the number it stands for, or nothing where one was written just before") {
  test::TemporaryFolder folder;
  {
    auto log = Log::open({"debug", "text", folder / "log"}, kClock, kNoSecrets);
    REQUIRE(log);
    (*log)->report(lifecycle::EventRefused{refusal(), 1});
    CHECK(!(*log)->wants(lifecycle::EventRefused{refusal(), 0}));
    (*log)->report(lifecycle::EventRefused{refusal(), 42});
  }
  const auto text = content(folder / "log");
  CHECK(text.find("warn  source 'hook' refused: signature: no match source=hook cause=signature peer=192.0.2.1 delivery=d1\n") != std::string::npos);
  CHECK(text.find("no match; 42 of this cause since the last such line source=hook") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
}

TEST_CASE("log: JSON lines are objects with the same ids and the lifecycle event's name") {
  test::TemporaryFolder folder;
  {
    auto log = Log::open({"debug", "json", folder / "log"}, kClock, kNoSecrets);
    REQUIRE(log);
    (*log)->report(lifecycle::RunComplete{run(RunState::succeeded)});
    (*log)->report(lifecycle::Note{"error", "disk \xff full"});
  }
  std::ifstream lines(folder / "log");
  std::string line;
  REQUIRE(std::getline(lines, line));
  const auto first = nlohmann::json::parse(line);
  CHECK(first["name"] == "run:complete");
  CHECK(first["run"] == "R1");
  CHECK(first["correlation"] == "C1");
  CHECK(first["message"] == "'deploy' succeeded in 250ms");
  REQUIRE(std::getline(lines, line));
  CHECK(nlohmann::json::parse(line)["level"] == "error");
}

TEST_CASE("log: a place that cannot be written is an error that names it") {
  const auto log = Log::open({"info", "text", "/proc/no/such/place"}, kClock, kNoSecrets);
  REQUIRE(!log);
  CHECK(log.error().message.find("/proc/no/such/place") != std::string::npos);
}

TEST_CASE("line limit: so many of a kind a second, each second by itself, and what is left out is told once") {
  LineLimit limit(3);
  SteadyTime now{1h};
  const auto admitted = [&](const std::string& kind, int lines) {
    int count = 0;
    for (int i = 0; i < lines; ++i) count += limit.admit(kind, now);
    return count;
  };
  CHECK(admitted("a", 10) == 3);
  CHECK(admitted("b", 2) == 2);
  CHECK(limit.left_out(now).empty());
  now += 999ms;
  CHECK(admitted("a", 1) == 0);
  CHECK(limit.left_out(now).empty());
  now += 1ms;
  CHECK(limit.left_out(now).empty());  // it does not look for every line
  now += 200ms;
  const auto told = limit.left_out(now);
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == "a");
  CHECK(told[0].lines == 8);
  now += 1s;
  CHECK(limit.left_out(now).empty());
  CHECK(admitted("a", 5) == 3);
  limit.set(0);
  CHECK(admitted("a", 100) == 100);
}

TEST_CASE("log: a flood of one kind does not drown another, and is told of") {
  const test::TemporaryFolder folder;
  for (const std::string format : {"text", "json"}) {
    const auto file = folder / format;
    {
      auto log = Log::open({"info", format, file, 5}, kClock, kNoSecrets);
      REQUIRE(log.ok());
      for (int i = 0; i < 50; ++i) (*log)->report(lifecycle::EventReceived{event("one " + std::to_string(i))});
      for (int i = 0; i < 20; ++i) (*log)->report(lifecycle::Note{"warn", "the same again"});
      (*log)->report(lifecycle::Note{"warn", "something else"});
      (*log)->report(lifecycle::RunFailed{run(RunState::failed)});
      (*log)->set_repeats(0);
      for (int i = 0; i < 50; ++i) (*log)->report(lifecycle::RunComplete{run(RunState::succeeded)});
    }
    const auto text = content(file);
    const auto count = [&](const std::string& part) {
      std::size_t found = 0;
      for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
      return found;
    };
    CAPTURE(text);
    CHECK(count("received webhook") == 5);
    CHECK(count("45 more lines like this in one second: event:received of 'hook' (log_repeats)") == 1);
    CHECK(count("the same again") == 6);
    CHECK(count("15 more lines like this in one second: the same again (log_repeats)") == 1);
    CHECK(count("something else") == 1);
    CHECK(count("'deploy' failed") == 1);
    CHECK(count("'deploy' succeeded") == 50);
  }
}

TEST_CASE("metrics: events, runs and sources are counted under their names") {
  Metrics metrics;
  metrics.report(lifecycle::EventReceived{event()});
  metrics.report(lifecycle::EventReceived{event()});
  Decision decision;
  decision.stage = Stage::filter;
  decision.verdict = Verdict::dropped;
  metrics.report(lifecycle::EventDropped{event(), decision});
  for (const std::uint64_t tells : {1, 0, 0}) metrics.report(lifecycle::EventRefused{refusal(), tells});
  metrics.report(lifecycle::RunComplete{run(RunState::succeeded)});
  metrics.report(lifecycle::RunFailed{run(RunState::failed)});
  metrics.report(lifecycle::SourceError{"hook", "gone", "bring it back"});
  auto dead = *run(RunState::failed);
  dead.dead_since = dead.finished;
  metrics.report(lifecycle::RunFailed{std::make_shared<const Run>(dead)});
  metrics.lost("log", 7);
  metrics.committed(2ms);
  metrics.synced(3ms, 5);
  const auto text = metrics.text({{"hark_runs", "Runs.", {{{{"state", "waiting"}}, 3}}}, {"made_total", "A counter.", {{{{"of", "a \"b\"\n\\"}}, 4}}, true}, {"nothing", "None.", {}}});
  for (const auto* expected :
       {"hark_events_received_total{source=\"hook\",type=\"webhook\"} 2", "hark_event_decisions_total{decision=\"filter\",source=\"hook\",type=\"webhook\"} 1",
        "hark_refused_total{reason=\"signature\",source=\"hook\"} 3", "hark_runs_total{handler=\"deploy\",state=\"failed\"} 2", "hark_dead_letters_total{handler=\"deploy\"} 1", "hark_runs_total{handler=\"deploy\",state=\"succeeded\"} 1",
        "hark_run_duration_seconds_bucket{handler=\"deploy\",le=\"0.1\"} 0", "hark_run_duration_seconds_bucket{handler=\"deploy\",le=\"0.5\"} 3",
        "hark_runs{state=\"waiting\"} 3", "# TYPE made_total counter", "made_total{of=\"a \\\"b\\\"\\n\\\\\"} 4", "hark_source_errors_total{source=\"hook\"} 1", "# HELP hark_runs Runs.",
        "hark_reports_lost_total{reporter=\"log\"} 7", "hark_journal_commit_duration_seconds_count 1", "hark_journal_sync_duration_seconds_bucket{le=\"0.0025\"} 0",
        "hark_journal_sync_group_size_sum 5"}) {
    CAPTURE(expected);
    CHECK(text.find(expected) != std::string::npos);
  }
  CHECK(text.find("nothing") == std::string::npos);  // a family without series says nothing
}

TEST_CASE("metrics: what came from outside makes no series at will") {
  Metrics metrics;
  for (std::size_t i = 0; i < limits::kMetricValues + 50; ++i) {
    Event made;
    made.type = "type" + std::to_string(i);
    made.source = "publishers/" + std::to_string(i);
    metrics.report(lifecycle::EventReceived{std::make_shared<const Event>(std::move(made))});
  }
  const auto text = metrics.text({});
  CHECK(text.find("{source=\"publishers\",type=\"(other)\"} 50\n") != std::string::npos);
  std::size_t series = 0;
  for (auto at = text.find("hark_events_received_total{"); at != std::string::npos; at = text.find("hark_events_received_total{", at + 1)) ++series;
  CHECK(series == limits::kMetricValues + 1);
}

TEST_CASE("metrics: steps of handlers with more than one; the elements of a list are one step") {
  Metrics metrics;
  metrics.use({"plain"});
  StepResult step;
  step.duration = 20ms;
  for (const std::string name : {"build.0.test", "build.17.test", "17", "v2.x"}) {
    step.name = name;
    metrics.report(lifecycle::PhaseComplete{{"R1", "plain", "C1"}, step});
    metrics.report(lifecycle::PhaseComplete{{"R2", "other", "C1"}, step});
  }
  step.state = StepState::skipped;
  step.name = "build.3.test";
  metrics.report(lifecycle::PhaseComplete{{"R2", "other", "C1"}, step});
  step.part = StepPart::gate;
  metrics.report(lifecycle::PhaseComplete{{"R2", "other", "C1"}, step});
  metrics.report(lifecycle::GateChecked{{"R2", "other", "C1"}, 1, "good", false, "no", 20ms});
  for (const std::string handler : {"plain", "other"}) metrics.report(lifecycle::IterationComplete{{"R1", handler, "C1"}, 1, false, 20ms});
  metrics.report(lifecycle::AgentComplete{{"R2", "other", "C1"}, 1, "ask", "model", "command", StepState::failed, "no", {}, 20ms});
  const auto text = metrics.text({});
  CHECK(text.find("plain") == std::string::npos);
  for (const std::string expected :
       {"hark_steps_total{handler=\"other\",state=\"succeeded\",step=\"build.*.test\"} 2", "hark_steps_total{handler=\"other\",state=\"succeeded\",step=\"17\"} 1",
        "hark_steps_total{handler=\"other\",state=\"succeeded\",step=\"v2.x\"} 1", "hark_steps_total{handler=\"other\",state=\"skipped\",step=\"build.*.test\"} 1",
        "hark_step_duration_seconds_count{handler=\"other\",step=\"build.*.test\"} 2", "hark_gate_checks_total{gate=\"good\",handler=\"other\",result=\"refused\"} 1",
        "hark_gate_duration_seconds_count{gate=\"good\",handler=\"other\"} 1", "hark_iterations_total{handler=\"other\",result=\"not passed\"} 1",
        "hark_provider_calls_total{outcome=\"failed\",provider=\"model\"} 1", "hark_provider_call_duration_seconds_bucket{provider=\"model\",le=\"0.05\"} 1"}) {
    CAPTURE(expected);
    CHECK(text.find(expected + "\n") != std::string::npos);
  }
}

TEST_CASE("metrics: tokens and cost of prompts, by handler and provider, those of a cache by themselves") {
  Metrics metrics;
  StepResult step;
  metrics.report(lifecycle::PhaseComplete{{"R1", "fix", "C1"}, step});
  CHECK(metrics.text({}).find("hark_tokens_total{") == std::string::npos);
  step.provider = "local";
  step.usage = Usage{100, 20, 0.25};
  metrics.report(lifecycle::PhaseComplete{{"R1", "fix", "C1"}, step});
  metrics.report(lifecycle::PhaseComplete{{"R2", "fix", "C2"}, step});
  step.provider = "claude";
  step.usage = Usage{100, 20, {}, 60, 30};
  metrics.report(lifecycle::PhaseComplete{{"R3", "fix", "C3"}, step});
  const auto text = metrics.text({});
  for (const std::string line : {"hark_tokens_total{direction=\"input\",handler=\"fix\",provider=\"local\"} 200", "hark_tokens_total{direction=\"output\",handler=\"fix\",provider=\"local\"} 40",
                                 "hark_tokens_total{direction=\"input\",handler=\"fix\",provider=\"claude\"} 10", "hark_tokens_total{direction=\"cache_read\",handler=\"fix\",provider=\"claude\"} 60",
                                 "hark_tokens_total{direction=\"cache_write\",handler=\"fix\",provider=\"claude\"} 30", "hark_cost_usd_total{handler=\"fix\",provider=\"local\"} 0.5"}) {
    CAPTURE(line);
    CHECK(text.find(line + "\n") != std::string::npos);
  }
}
