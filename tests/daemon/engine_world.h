// An engine to play with: a real journal and loop, a clock that stands still, and runs that end when the test says so.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/engine.h"
#include "platform/file_system.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "state/sqlite.h"
#include "state/sqlite_journal.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temporary_folder.h"

namespace hark::test {

using namespace std::chrono_literals;


// Records what is started; the test says how it ends.
class FakeRunner final : public Runner {
 public:
  void start(Assignment assignment) override { started.push_back(std::move(assignment)); }
  void collect() override {
    if (const auto tell = std::exchange(ended, nullptr)) tell();
  }
  std::function<void()> ended;  // reports that wait for the loop
  std::vector<Assignment> started;
};

// Records what hooks are asked; the test says what they answer.
class FakeHookDesk final : public HookDesk {
 public:
  struct Question {
    HookPtr hook;
    lifecycle::Any about;
    Answered answered;
  };
  void ask(HookPtr hook, lifecycle::Any about, WallTime, Answered answered) override { asked.push_back({std::move(hook), std::move(about), std::move(answered)}); }
  std::vector<Question> asked;
};

// The engine with a real journal and loop, a clock that stands still, and runs that end when the test says so.
struct World {
  TemporaryFolder folder;
  FakeClock clock;
  Loop loop;
  RealFileSystem files;
  Workers background{"test", 1};
  lifecycle::Emitter emitter;
  std::vector<std::string> heard;   // names of lifecycle events
  std::unique_ptr<Journal> journal;
  Settings settings;
  std::unique_ptr<Engine> engine;
  FakeRunner runner;
  FakeHookDesk desk;
  std::uint64_t lives = 0;  // the seed of each: ids are unique

  World() {
    settings.journal_file = folder / "journal.db";
    settings.state_file = folder / "state.json";
    emitter.subscribe("test", [this](const lifecycle::Any& event) { heard.emplace_back(lifecycle::name(event)); });
    Handler handler;
    handler.name = "h";
    handler.steps.push_back({"only", RunStepOptions{}, {}, {}, {}});
    settings.handlers.push_back(handler);
    handler.name = "other";
    settings.handlers.push_back(handler);
  }

  void source(std::string name, Duration debounce = {}) {
    SourceSettings source;
    source.name = name;
    source.type = "manual";
    source.rule.source = std::move(name);
    source.rule.handlers = {"h"};
    source.rule.debounce = debounce;
    settings.sources.push_back(std::move(source));
  }

  void open(const JournalOptions& options = {}) {
    auto opened = open_journal(settings.journal_file, options);
    REQUIRE(opened);
    journal = std::move(*opened);
    engine = std::make_unique<Engine>(settings, EngineParts{loop, clock, *journal, files, background, emitter, {}, &desk},
                                      LastRun{}, ++lives);
    engine->set_runner(runner);
    REQUIRE(engine->recover([](const std::string&) { return std::size_t{0}; }));
  }
  void close() {
    engine.reset();
    journal.reset();
    runner.started.clear();
    desk.asked.clear();
  }

  Event event(std::string source, std::string key = {}) {
    Event made;
    made.type = "manual";
    made.source = std::move(source);
    made.dedupe_key = std::move(key);
    return made;
  }

  template <class Condition>
  void until(Condition condition) {
    for (int tries = 0; !condition() && tries < 1000; ++tries) loop.run_once(100ms);
    REQUIRE(condition());
  }

  Acceptance offer(Event offered) {
    std::optional<Acceptance> answer;
    engine->offer(std::move(offered), [&](const Acceptance& acceptance) { answer = acceptance; });
    until([&] { return answer.has_value(); });
    return *answer;
  }

  // The run's only step ends so; `result` tells more of a failure.
  void finish(std::size_t index, RunState state = RunState::succeeded, StepResult result = {}) {
    auto run = runner.started.at(index).run;
    const auto attempt = run.attempt;
    run.state = state;
    run.finished = clock.now().wall;
    if (state != RunState::succeeded) run.error = "it did not work";
    result.name = "only";
    result.state = state == RunState::failed ? StepState::failed : state == RunState::timed_out ? StepState::timed_out : StepState::succeeded;
    run.steps = {result};
    if (state != RunState::succeeded) run.failed_step = 0;
    engine->reports().finished(run);
    until([&] { return is_final(journal_run(run.id)->state) || journal_run(run.id)->attempt > attempt; });
  }

  // What a person asks of the engine; the answer.
  Status ask(const std::function<void(Engine::Done)>& asking) {
    std::optional<Status> answer;
    asking([&](const Status& status) { answer = status; });
    until([&] { return answer.has_value(); });
    return *answer;
  }
  Status pause(const std::string& handler) {
    return ask([&](Engine::Done done) { engine->pause(handler, std::move(done)); });
  }
  Status resume(const std::string& handler) {
    return ask([&](Engine::Done done) { engine->resume(handler, std::move(done)); });
  }
  Status cancel(const std::string& run) {
    return ask([&](Engine::Done done) { engine->cancel(run, std::move(done)); });
  }
  // A turn, in which what is due by now is noticed.
  void turn() { REQUIRE(resume("nobody")); }

  // The process that ran these is dead: as a start finds it after a crash.
  void kill() {
    close();
    auto opened = sqlite::Connection::open(settings.journal_file, sqlite::Connection::Mode::read_write);
    REQUIRE(opened);
    REQUIRE((*opened)->execute("UPDATE runs SET owner_boot = 'another'; UPDATE held SET owner_boot = 'another'"));
  }

  std::vector<std::string> reasons(std::uint64_t event_sequence) {
    std::vector<std::string> all;
    const auto decisions = journal->decisions(event_sequence);
    REQUIRE(decisions);
    for (const auto& decision : *decisions) all.push_back(decision.reason);
    return all;
  }

  std::optional<Run> journal_run(const std::string& id) {
    auto run = journal->run(id);
    REQUIRE(run);
    return *run;
  }
  std::vector<Run> runs() {
    RunQuery query;
    query.limit = 1000;
    auto found = journal->runs(query);
    REQUIRE(found);
    return *found;
  }
};

}  // namespace hark::test
