#include <doctest/doctest.h>

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <set>

#include <nlohmann/json.hpp>

#include "tests/daemon/engine_world.h"

using namespace hark;
using namespace hark::test;
using namespace std::chrono_literals;

TEST_CASE("engine: an offered event is journaled, answered when durable, run, and its result kept") {
  World world;
  world.source("s");
  world.open();
  const auto accepted = world.offer(world.event("s"));
  CHECK(accepted.outcome == Acceptance::Outcome::accepted);
  REQUIRE(world.runner.started.size() == 1);
  CHECK(world.runner.started[0].event->id == accepted.event_id);
  CHECK(world.journal_run(world.runner.started[0].run.id)->state == RunState::running);
  world.finish(0);
  CHECK(world.runs().at(0).state == RunState::succeeded);
  const std::vector<std::string> expected = {"event:received", "event:queued",      "run:queued",    "run:started",        "event:handler:start",
                                             "iteration:started", "phase:started", "event:handler:end", "run:complete"};
  CHECK(world.heard == expected);
  world.until([&] { return std::filesystem::exists(world.settings.state_file); });
}

TEST_CASE("engine: what may not survive a power loss is not called accepted") {
  World world;
  world.source("s");
  std::atomic<bool> broken = false;
  JournalOptions options;
  options.sync = [&broken](int fd) {
    if (!broken) return fdatasync(fd);
    errno = EIO;
    return -1;
  };
  world.open(options);
  CHECK(world.offer(world.event("s")).taken());
  broken = true;
  const auto refused = world.offer(world.event("s"));
  CHECK(refused.outcome == Acceptance::Outcome::refused);
  CHECK(refused.reason.find("power loss") != std::string::npos);

  // From now on nothing is begun: a sender that tries again does not make it run again and again.
  const auto begun = world.runner.started.size();
  CHECK(world.offer(world.event("s")).outcome == Acceptance::Outcome::refused);
  world.clock.advance(1min);
  CHECK(world.offer(world.event("s")).outcome == Acceptance::Outcome::refused);
  CHECK(world.runner.started.size() == begun);
  CHECK(world.engine->journal_fault());
}

TEST_CASE("engine: a journal that stays broken does not keep the daemon from stopping") {
  World world;
  world.source("s");
  std::atomic<bool> broken = false;
  JournalOptions options;
  options.sync = [&broken](int fd) { return broken ? (errno = EIO, -1) : fdatasync(fd); };
  world.open(options);
  world.offer(world.event("s"));
  broken = true;
  world.offer(world.event("s"));
  REQUIRE(world.runner.started.size() == 2);
  bool drained = false;
  world.engine->drain(1min, [&] { drained = true; });
  for (const auto& assignment : world.runner.started) {
    auto run = assignment.run;
    run.state = RunState::succeeded;
    world.engine->reports().finished(run);
  }
  world.until([&] { return world.engine->journal_fault().has_value(); });
  CHECK_FALSE(drained);             // there is time left to mend it
  world.engine->drain(1min, [&] { drained = true; });  // a second signal
  world.until([&] { return drained; });
}

TEST_CASE("engine: a run starts only after its event is written") {
  World world;
  world.source("s");
  world.open();
  struct Looking final : Runner {
    explicit Looking(World& w) : world(w) {}
    void start(Assignment assignment) override {
      // A reader of its own sees only what is committed.
      auto reader = open_journal_reader(world.settings.journal_file);
      REQUIRE(reader);
      auto event = (**reader)->event(assignment.event->id);
      REQUIRE(event);
      written = event->has_value();
    }
    World& world;
    bool written = false;
  } looking(world);
  world.engine->set_runner(looking);
  world.offer(world.event("s"));
  CHECK(looking.written);
}

TEST_CASE("engine: the same key runs once, and the second caller gets the first one's id") {
  World world;
  world.source("s");
  world.open();
  const auto first = world.offer(world.event("s", "key"));
  const auto second = world.offer(world.event("s", "key"));
  CHECK(second.outcome == Acceptance::Outcome::duplicate);
  CHECK(second.event_id == first.event_id);
  CHECK(world.runner.started.size() == 1);
  auto decisions = world.journal->decisions(first.sequence);
  REQUIRE(decisions);
  CHECK(decisions->back().stage == Stage::dedupe);

  world.close();
  world.open();  // across a restart as well
  CHECK(world.offer(world.event("s", "key")).outcome == Acceptance::Outcome::duplicate);
  world.clock.advance(25h);
  CHECK(world.offer(world.event("s", "key")).outcome == Acceptance::Outcome::accepted);
}

TEST_CASE("engine: two of one key in the same turn are still one") {
  World world;
  world.source("s");
  world.open();
  std::vector<Acceptance> answers;
  for (int i = 0; i < 2; ++i) world.engine->offer(world.event("s", "key"), [&](const Acceptance& acceptance) { answers.push_back(acceptance); });
  world.until([&] { return answers.size() == 2; });
  CHECK(answers[0].outcome == Acceptance::Outcome::accepted);
  CHECK(answers[1].outcome == Acceptance::Outcome::duplicate);
  CHECK(world.runner.started.size() == 1);
}

TEST_CASE("engine: debounced events wait, and the last of them runs") {
  World world;
  world.source("s", 10s);
  world.open();
  world.offer(world.event("s"));
  const auto last = world.offer(world.event("s"));
  CHECK(world.runner.started.empty());
  world.clock.advance(10s);
  world.offer(world.event("nobody"));  // any turn notices that it is due
  world.until([&] { return world.runner.started.size() == 1; });
  CHECK(world.runner.started[0].event->id == last.event_id);
}

TEST_CASE("engine: what waits in a debounce or in the queue survives a restart") {
  World world;
  world.settings.max_concurrent_handlers = 1;
  world.source("now");
  world.source("later", 10s);
  world.open();
  world.offer(world.event("now"));
  world.offer(world.event("now"));
  const auto held = world.offer(world.event("later"));
  REQUIRE(world.runner.started.size() == 1);
  const auto running = world.runner.started[0].run.id;
  world.close();  // as if it had been killed: nothing is told

  world.open();
  CHECK(world.engine->router().held() == 1);
  CHECK(world.engine->queue().size() == 1);
  // This very process still lives, so the run is not taken for one that was cut off.
  CHECK(world.journal_run(running)->state == RunState::running);
  world.until([&] { return world.runner.started.size() == 1; });
  world.finish(0);
  world.clock.advance(10s);
  world.offer(world.event("nobody"));
  world.until([&] { return world.runner.started.size() == 2; });
  CHECK(world.runner.started[1].event->id == held.event_id);
}

TEST_CASE("engine: when a commit fails, what was to start is refused, and its slot is free") {
  World world;
  world.settings.max_concurrent_handlers = 1;
  world.source("s");
  world.open();
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit full = before;
  full.rlim_cur = std::filesystem::file_size(world.folder / "journal.db-wal");
  REQUIRE(setrlimit(RLIMIT_FSIZE, &full) == 0);  // the write-ahead log cannot grow: the write fails, as on a full disk
  const auto refused = world.offer(world.event("s"));
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(refused.outcome == Acceptance::Outcome::refused);
  CHECK(world.runner.started.empty());
  CHECK(world.engine->executor().active() == 0);

  world.clock.advance(2s);
  CHECK(world.offer(world.event("s")).taken());
  CHECK(world.runner.started.size() == 1);
}

TEST_CASE("engine: a full queue refuses or drops as configured, and says so") {
  World world;
  world.settings.max_concurrent_handlers = 1;
  world.settings.queue_limit = 1;
  SUBCASE("error: the source is told") { world.settings.queue_overflow = QueueOverflow::error; }
  SUBCASE("drop: accepted, and the decision is recorded") { world.settings.queue_overflow = QueueOverflow::drop; }
  world.source("s");
  world.open();
  world.offer(world.event("s"));  // runs
  world.offer(world.event("s"));  // waits
  const auto third = world.offer(world.event("s"));
  if (world.settings.queue_overflow == QueueOverflow::error) {
    CHECK(!third.taken());
    CHECK(third.reason.find("queue_limit") != std::string::npos);
    CHECK(world.runs().size() == 2);
  } else {
    CHECK(third.taken());
    auto decisions = world.journal->decisions(third.sequence);
    REQUIRE(decisions);
    CHECK(decisions->back().stage == Stage::queue);
    CHECK(decisions->back().verdict == Verdict::dropped);
    CHECK(world.runs().size() == 2);
  }
}

TEST_CASE("engine: a waiting run whose event is only on disk gets it back") {
  World world;
  world.settings.max_concurrent_handlers = 1;
  world.settings.queue_limit = 1;
  world.source("s");
  world.open();
  for (int i = 0; i < 3; ++i) world.offer(world.event("s"));
  const auto last = world.offer(world.event("s"));
  for (std::size_t i = 0; i < 3; ++i) {
    world.finish(i);
    world.until([&] { return world.runner.started.size() == i + 2; });
  }
  CHECK(world.runner.started[3].event->id == last.event_id);
}

TEST_CASE("engine: pause holds runs back, resume starts them, cancel ends a waiting one") {
  World world;
  world.source("s");
  world.open();
  REQUIRE(world.pause("h"));
  world.offer(world.event("s"));
  world.offer(world.event("s"));
  CHECK(world.runner.started.empty());
  const auto newest = world.runs().at(0).id;
  CHECK(world.cancel(newest));
  CHECK(world.journal_run(newest)->state == RunState::cancelled);
  REQUIRE(world.resume("h"));
  world.until([&] { return world.runner.started.size() == 1; });
  CHECK(world.runner.started[0].run.id != newest);
  CHECK(world.cancel(world.runner.started[0].run.id));
  CHECK(world.runner.started[0].stop.stop_requested());
  CHECK(!world.cancel("unknown"));
  CHECK(!world.cancel(newest));
}

TEST_CASE("engine: a drain refuses offers, cuts off at the deadline, and what was cut off goes on later") {
  World world;
  world.source("s");
  world.open();
  world.offer(world.event("s"));
  bool drained = false;
  world.engine->drain(0s, [&] { drained = true; });
  CHECK(!world.offer(world.event("s")).taken());
  world.until([&] { return world.runner.started[0].stop.stop_requested(); });
  CHECK(!drained);
  world.finish(0, RunState::cancelled);
  world.until([&] { return drained; });
  const auto run = world.runs().at(0);
  CHECK(run.state == RunState::queued);
  CHECK(run.attempt == 2);
  world.close();
  world.open();
  world.until([&] { return world.runner.started.size() == 1; });
  CHECK(world.runner.started[0].run.attempt == 2);
}

TEST_CASE("engine: who waits for an event's runs hears of the end, also when it is over already") {
  World world;
  world.source("s");
  world.open();
  const auto accepted = world.offer(world.event("s"));
  std::vector<Run> ended;
  world.engine->when_ended(accepted.event_id, [&](const std::vector<Run>& runs) { ended = runs; });
  StepResult step;
  step.name = "only";
  step.output = "what it said";
  world.engine->reports().step_finished(world.runner.started.at(0).run, 0, step);
  world.finish(0, RunState::failed);
  world.until([&] { return ended.size() == 1; });
  CHECK(ended[0].state == RunState::failed);
  ended.clear();
  world.engine->when_ended(accepted.event_id, [&](const std::vector<Run>& runs) { ended = runs; });
  world.until([&] { return ended.size() == 1; });
  REQUIRE(ended[0].steps.size() == 1);  // asked late, the answer is the same
  CHECK(ended[0].steps[0].output == "what it said");
  bool none = false;
  world.engine->when_ended("no such event", [&](const std::vector<Run>& runs) { none = runs.empty(); });
  world.until([&] { return none; });
}

TEST_CASE("engine: a run of a handler that is gone from the configuration fails with that reason") {
  World world;
  world.source("s");
  world.open();
  REQUIRE(world.pause(""));
  world.offer(world.event("s"));
  world.close();
  world.settings.handlers.erase(world.settings.handlers.begin());
  world.settings.sources.clear();
  world.open();
  REQUIRE(world.resume(""));  // it stayed paused
  world.until([&] { return world.runs().at(0).state == RunState::failed; });
  CHECK(world.runs().at(0).error == "handler 'h' is not in the configuration any more");
}

TEST_CASE("engine: many events go beyond the retention before its time has come, and space is found behind those that wait") {
  World world;
  world.source("s");
  world.source("dropped");
  world.settings.sources.at(1).rule.handlers.clear();
  world.settings.max_concurrent_handlers = 1;
  world.settings.retention_events = 20;
  world.open();
  for (int i = 0; i < 30; ++i) world.offer(world.event("s"));  // they wait at the front
  for (std::uint64_t i = 0; i < limits::kPruneEvents + 100; ++i) world.engine->offer(world.event("dropped"), nullptr);
  EventQuery all;
  all.limit = 10'000;
  world.until([&] {
    const auto events = world.journal->events(all);
    REQUIRE(events);
    return events->front().sequence > limits::kPruneEvents + 100;  // all have come
  });
  world.until([&] { return world.journal->events(all)->size() <= 30 + 20 + 100; });
  CHECK(world.runs().size() == 30);
}
