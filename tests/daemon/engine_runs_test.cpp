#include <doctest/doctest.h>

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "tests/daemon/engine_world.h"

using namespace hark;
using namespace hark::test;
using namespace std::chrono_literals;

namespace {

bool has(const std::vector<std::string>& reasons, std::string_view part) {
  return std::any_of(reasons.begin(), reasons.end(), [&](const std::string& reason) { return reason.find(part) != std::string::npos; });
}

// A source "s" whose events run "h".
struct Runs : World {
  Handler& handler() { return settings.handlers.at(0); }
  Rule& rule() { return settings.sources.at(0).rule; }
  Runs() { source("s"); }

  StepResult exit_code(int code) {
    StepResult result;
    result.exit_code = code;
    return result;
  }
};

}  // namespace

TEST_CASE("engine: a run that fails is tried again after its pause, without a slot meanwhile, then stands in the dead letters") {
  Runs world;
  world.settings.max_concurrent_handlers = 1;
  world.handler().retry = {2, {10s, 1min, 0}};
  world.open();
  const auto accepted = world.offer(world.event("s"));
  world.finish(0, RunState::failed, world.exit_code(1));
  auto run = world.runs().at(0);
  CHECK(run.state == RunState::queued);
  CHECK(run.attempt == 2);
  CHECK(run.not_before == world.clock.now().wall + 10s);
  CHECK(has(world.reasons(accepted.sequence), "attempt 1 failed: it did not work; failure 1 of 2, the next attempt in 10s"));
  CHECK(world.engine->executor().active() == 0);

  world.offer(world.event("s"));  // its slot is somebody else's
  CHECK(world.runner.started.size() == 2);
  world.finish(1);
  world.clock.advance(9999ms);
  world.turn();
  CHECK(world.runner.started.size() == 2);
  world.clock.advance(1ms);
  world.turn();
  REQUIRE(world.runner.started.size() == 3);
  CHECK(world.runner.started[2].run.attempt == 2);
  world.finish(2, RunState::failed, world.exit_code(1));
  run = *world.journal_run(run.id);
  CHECK(run.state == RunState::failed);
  CHECK(run.dead_since == world.clock.now().wall);
  REQUIRE(run.attempts.size() == 1);
  CHECK(run.attempts[0].state == RunState::failed);
  CHECK(has(world.reasons(accepted.sequence), "stands in the dead letters after 2 failures: it did not work"));
  CHECK(world.journal->runs({.dead = true})->size() == 1);
  CHECK(std::count(world.heard.begin(), world.heard.end(), "run:failed") == 1);
  CHECK(std::count(world.heard.begin(), world.heard.end(), "run:retry") == 1);
}

TEST_CASE("engine: a retry's pause survives a restart") {
  Runs world;
  world.handler().retry = {2, {10s, 1min, 0}};
  world.open();
  world.offer(world.event("s"));
  world.finish(0, RunState::failed, world.exit_code(1));
  world.clock.advance(4s);
  world.close();
  world.open();
  world.clock.advance(5999ms);
  world.turn();
  CHECK(world.runner.started.empty());
  world.clock.advance(1ms);
  world.turn();
  CHECK(world.runner.started.size() == 1);
}

TEST_CASE("engine: a clock that is set, back or forward, moves no pause of a run that waits") {
  for (const auto jump : {-std::chrono::hours(24 * 365), std::chrono::hours(24 * 365)}) {
    Runs world;
    world.handler().retry = {2, {10s, 1min, 0}};
    world.open();
    world.offer(world.event("s"));
    world.finish(0, RunState::failed, world.exit_code(1));
    world.clock.set_wall(world.clock.now().wall + jump);
    world.clock.advance(9999ms);
    world.turn();
    CHECK(world.runner.started.size() == 1);
    world.clock.advance(1ms);
    world.turn();
    CHECK(world.runner.started.size() == 2);
  }
}

TEST_CASE("engine: a clock that is set back between two starts keeps no run waiting for it to come round again") {
  Runs world;
  world.handler().retry = {2, {10s, 1min, 0}};
  world.open();
  world.offer(world.event("s"));
  world.finish(0, RunState::failed, world.exit_code(1));
  world.close();
  world.clock.set_wall(world.clock.now().wall - std::chrono::hours(24 * 365));
  world.open();
  world.clock.advance(9999ms);
  world.turn();
  CHECK(world.runner.started.empty());
  world.clock.advance(1ms);
  world.turn();
  CHECK(world.runner.started.size() == 1);
}

TEST_CASE("engine: a clock that is set back does not make a throttle let more through, nor stop it") {
  Runs world;
  world.rule().throttle = Rate{1, 1min};
  world.open();
  world.offer(world.event("s"));
  world.clock.set_wall(world.clock.now().wall - std::chrono::hours(24 * 365));
  world.offer(world.event("s"));
  CHECK(world.runner.started.size() == 1);
  world.finish(0);
  world.clock.advance(1min);
  world.turn();
  CHECK(world.runner.started.size() == 2);
}

TEST_CASE("engine: a pause that could not be written does not hold anything back") {
  Runs world;
  world.open();
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit full = before;
  full.rlim_cur = std::filesystem::file_size(world.folder / "journal.db-wal");
  REQUIRE(setrlimit(RLIMIT_FSIZE, &full) == 0);  // as on a full disk
  std::optional<Status> outcome;
  world.engine->pause("h", [&](const Status& status) { outcome = status; });
  world.until([&] { return outcome.has_value(); });
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK_FALSE(*outcome);
  CHECK_FALSE(world.engine->queue().paused("h"));
  world.clock.advance(limits::kJournalRetry);
  world.offer(world.event("s"));
  CHECK(world.runner.started.size() == 1);
}

TEST_CASE("engine: what a retry is not for goes to the dead letters at once") {
  Runs world;
  world.handler().retry = {5, {1s, 1s, 0}};
  world.handler().retry.exit_codes = {75};
  world.open();
  world.offer(world.event("s"));
  world.finish(0, RunState::failed, world.exit_code(1));
  CHECK(world.runs().at(0).dead_since);
  world.offer(world.event("s"));
  world.finish(1, RunState::failed, world.exit_code(75));
  CHECK(world.runs().at(0).state == RunState::queued);
}

TEST_CASE("engine: a run that fails while a person cancels it has no other attempt") {
  Runs world;
  world.handler().retry = {5, {1s, 1s, 0}};
  world.open();
  world.offer(world.event("s"));
  auto run = world.runner.started.at(0).run;
  run.state = RunState::failed;
  run.steps = {StepResult{}};
  run.steps[0].state = StepState::failed;
  std::optional<Status> answer;
  world.engine->cancel(run.id, [&](const Status& status) { answer = status; });
  world.engine->reports().finished(run);  // in the same turn
  world.until([&] { return answer.has_value(); });
  CHECK(answer->ok());
  CHECK(world.journal_run(run.id)->state == RunState::cancelled);
}

TEST_CASE("engine: a person has a dead letter tried again, or takes it out") {
  Runs world;
  world.open();
  const auto accepted = world.offer(world.event("s"));
  const auto id = world.runner.started.at(0).run.id;
  CHECK_FALSE(world.ask([&](auto done) { world.engine->retry(id, done); }));  // it runs
  CHECK_FALSE(world.ask([&](auto done) { world.engine->discard(id, done); }));
  world.finish(0, RunState::failed);
  REQUIRE(world.journal_run(id)->dead_since);
  CHECK(world.ask([&](auto done) { world.engine->retry(id, done); }));
  REQUIRE(world.runner.started.size() == 2);
  CHECK(world.runner.started[1].run.id == id);
  CHECK(world.runner.started[1].run.attempt == 2);
  CHECK(world.runner.started[1].event->id == accepted.event_id);
  world.finish(1, RunState::failed);
  CHECK(world.ask([&](auto done) { world.engine->discard(id, done); }));
  CHECK_FALSE(world.journal_run(id)->dead_since);
  CHECK(world.journal_run(id)->state == RunState::failed);
  CHECK(world.journal->runs({.dead = true})->empty());
  CHECK(has(world.reasons(accepted.sequence), "took it out of the dead letters"));
  CHECK_FALSE(world.ask([&](auto done) { world.engine->retry("no such run", done); }));
}

TEST_CASE("engine: a run that was cut off goes on where it was, with its attempt kept") {
  Runs world;
  world.handler().steps.push_back({"second", RunStepOptions{}, {}, {}, {}});
  world.open();
  const auto accepted = world.offer(world.event("s"));
  StepResult step;
  step.name = "only";
  step.output = "what the first attempt said";
  world.engine->reports().step_finished(world.runner.started.at(0).run, 0, step);
  world.until([&] { return world.journal->steps(1, 1)->size() == 1; });

  SUBCASE("resume: behind the steps that are done") {}
  SUBCASE("restart: from the first step") { world.handler().on_interrupt = OnInterrupt::restart; }
  SUBCASE("fail: not at all") {
    world.handler().on_interrupt = OnInterrupt::fail;
    world.handler().on_failure = "other";
  }
  world.kill();
  world.open();
  world.until([&] { return world.runner.started.size() == 1; });
  auto run = *world.journal_run(world.runs().back().id);
  if (world.handler().on_interrupt == OnInterrupt::fail) {
    CHECK(run.state == RunState::interrupted);
    CHECK(run.dead_since);
    CHECK(world.runner.started[0].run.handler == "other");  // is told
    return;
  }
  CHECK(run.attempt == 2);
  REQUIRE(run.attempts.size() == 1);
  CHECK(run.attempts[0].state == RunState::interrupted);
  CHECK(run.attempts[0].steps.at(0).output == step.output);
  CHECK(has(world.reasons(accepted.sequence), "attempt 1 was cut off when process"));
  const auto& resumed = world.runner.started[0].run;
  CHECK(resumed.attempt == 2);
  if (world.handler().on_interrupt == OnInterrupt::resume) {
    REQUIRE(resumed.steps.size() == 1);
    CHECK(resumed.steps[0].output == step.output);
  } else {
    CHECK(resumed.steps.empty());
  }
}

TEST_CASE("engine: what makes the daemon die each time ends in the dead letters") {
  Runs world;
  world.open();
  world.offer(world.event("s"));
  for (int i = 0; i < limits::kInterruptions; ++i) {
    REQUIRE(world.runs().at(0).state == RunState::running);
    world.kill();
    world.open();
    if (i + 1 < limits::kInterruptions) world.until([&] { return world.runner.started.size() == 1; });
  }
  CHECK(world.runs().at(0).state == RunState::interrupted);
  CHECK(world.runs().at(0).dead_since);
  CHECK(world.runs().at(0).error.find("cut off 20 times") != std::string::npos);
}

TEST_CASE("engine: on_failure runs its handler for an event of its own, which names what failed") {
  Runs world;
  world.handler().on_failure = "other";
  world.open();
  const auto accepted = world.offer(world.event("s"));
  world.finish(0, RunState::failed);
  REQUIRE(world.runner.started.size() == 2);
  const auto& told = world.runner.started[1];
  CHECK(told.run.handler == "other");
  CHECK(told.event->type == "run_failed");
  CHECK(told.event->causation_id == world.runner.started[0].run.id);
  CHECK(told.event->correlation_id == accepted.event_id);
  CHECK(told.event->hops == 1);
  const auto& data = told.event->data.json();
  CHECK(data["run"]["error"] == "it did not work");
  CHECK(data["event"]["id"] == accepted.event_id);
}

TEST_CASE("engine: handlers that run for one another's failures come to an end") {
  Runs world;
  world.handler().on_failure = "other";
  world.settings.handlers.at(1).on_failure = "h";
  world.open();
  world.offer(world.event("s"));
  for (std::size_t i = 0; i < world.runner.started.size(); ++i) world.finish(i, RunState::failed);
  CHECK(world.runner.started.size() == limits::kHops + 1);
  CHECK(std::find(world.heard.begin(), world.heard.end(), "event:dropped") != world.heard.end());
}

TEST_CASE("engine: a breaker holds a handler's runs back, tries one, and lets them go") {
  Runs world;
  world.settings.max_concurrent_handlers = 4;
  world.handler().breaker = {2, 1min};
  world.open();
  REQUIRE(world.pause("h"));
  for (int i = 0; i < 6; ++i) world.offer(world.event("s"));
  REQUIRE(world.resume("h"));
  world.until([&] { return world.runner.started.size() == 4; });
  world.finish(0, RunState::failed);
  world.until([&] { return world.runner.started.size() == 5; });
  world.finish(1, RunState::failed);
  world.finish(2);  // began before it opened, and says that it works: it closes again
  world.until([&] { return world.runner.started.size() == 6; });
  world.finish(3, RunState::failed);
  world.finish(4, RunState::failed);
  world.finish(5, RunState::failed);
  for (int i = 0; i < 3; ++i) world.offer(world.event("s"));
  CHECK(world.runner.started.size() == 6);
  CHECK(world.engine->breakers().at("h").state() == Breaker::State::open);
  world.clock.advance(1min);
  world.turn();
  REQUIRE(world.runner.started.size() == 7);  // one, to see
  world.finish(6, RunState::failed);
  CHECK(world.runner.started.size() == 7);
  world.clock.advance(1min);
  world.turn();
  REQUIRE(world.runner.started.size() == 8);
  world.finish(7);
  world.until([&] { return world.runner.started.size() == 9; });
}

TEST_CASE("engine: on_busy says who yields") {
  Runs world;
  world.handler().max_concurrent = 1;
  SUBCASE("drop: the new one") {
    world.handler().on_busy = OnBusy::drop;
    world.open();
    world.offer(world.event("s"));
    const auto second = world.offer(world.event("s"));
    CHECK(world.runs().size() == 1);
    CHECK(has(world.reasons(second.sequence), "on_busy is \"drop\""));
  }
  SUBCASE("latest: those that wait") {
    world.handler().on_busy = OnBusy::latest;
    world.open();
    world.offer(world.event("s"));
    const auto second = world.offer(world.event("s"));
    const auto third = world.offer(world.event("s"));
    world.finish(0);
    REQUIRE(world.runner.started.size() == 2);
    CHECK(world.runner.started[1].event->id == third.event_id);
    CHECK(has(world.reasons(second.sequence), "event " + third.event_id + " took its place"));
  }
  SUBCASE("restart: those that wait and run") {
    world.handler().on_busy = OnBusy::restart;
    world.open();
    world.offer(world.event("s"));
    const auto second = world.offer(world.event("s"));
    CHECK(world.runner.started[0].stop.stop_requested());
    CHECK(world.runner.started.size() == 1);  // not before the first has ended
    world.finish(0, RunState::cancelled);
    REQUIRE(world.runner.started.size() == 2);
    CHECK(world.runner.started[1].event->id == second.event_id);
    CHECK(world.journal_run(world.runner.started[0].run.id)->error == "ended for event " + second.event_id + " (on_busy is \"restart\")");
  }
}

TEST_CASE("engine: events of one key run one after the other, others beside them; a retry keeps its place") {
  Runs world;
  world.rule().key = Template::parse("{payload.branch}");
  world.handler().retry = {2, {1s, 1s, 0}};
  world.open();
  const auto send = [&](const char* branch) {
    auto event = world.event("s");
    event.data = Payload(nlohmann::json{{"branch", branch}});
    return world.offer(std::move(event)).event_id;
  };
  const auto first = send("main"), second = send("main"), other = send("dev");
  REQUIRE(world.runner.started.size() == 2);
  CHECK(world.runner.started[1].event->id == other);
  world.finish(0, RunState::failed, world.exit_code(1));
  CHECK(world.runner.started.size() == 2);
  world.close();
  world.open();  // the key's line is found again
  world.clock.advance(1s);
  world.turn();
  REQUIRE(world.runner.started.size() == 1);
  CHECK(world.runner.started[0].event->id == first);
  world.finish(0);
  REQUIRE(world.runner.started.size() == 2);
  CHECK(world.runner.started[1].event->id == second);
}

TEST_CASE("engine: a dedupe_key makes events one") {
  Runs world;
  world.rule().dedupe_key = Template::parse("{payload.n}");
  world.open();
  const auto send = [&](const nlohmann::json& data) {
    auto event = world.event("s");
    event.data = Payload(data);
    return world.offer(std::move(event)).outcome;
  };
  CHECK(send({{"n", 1}}) == Acceptance::Outcome::accepted);
  CHECK(send({{"n", 1}}) == Acceptance::Outcome::duplicate);
  CHECK(send({{"n", 2}}) == Acceptance::Outcome::accepted);
  CHECK(send({{"m", 1}}) == Acceptance::Outcome::accepted);  // without the value nothing can be told
  CHECK(send({{"m", 1}}) == Acceptance::Outcome::accepted);
}

TEST_CASE("engine: a replay is another event, of the same key too") {
  Runs world;
  world.open();
  const auto original = world.offer(world.event("s", "key"));
  auto again = world.event("s", "key");
  again.replay_of = original.event_id;
  const auto replayed = world.offer(std::move(again));
  CHECK(replayed.outcome == Acceptance::Outcome::accepted);
  CHECK((*world.journal->event(replayed.event_id))->replay_of == original.event_id);
}

TEST_CASE("engine: a throttled event starts when its time has come, also after a restart") {
  Runs world;
  world.rule().throttle = Rate{2, 1min};
  world.open();
  Acceptance third;
  for (int i = 0; i < 3; ++i) third = world.offer(world.event("s"));
  CHECK(world.runner.started.size() == 2);
  CHECK(has(world.reasons(third.sequence), "throttle: 2/m have started, the next may at " + to_rfc3339(world.clock.now().wall + 1min)));
  world.finish(0);
  world.finish(1);
  world.close();
  world.open();
  world.clock.advance(59s);
  world.turn();
  CHECK(world.runner.started.empty());
  world.clock.advance(1s);
  world.turn();
  CHECK(world.runner.started.size() == 1);
}

TEST_CASE("engine: a throttle counts what an earlier life started, and what that held back") {
  Runs world;
  world.rule().throttle = Rate{1, 1min};
  world.open();
  for (int i = 0; i < 3; ++i) world.offer(world.event("s"));
  REQUIRE(world.runner.started.size() == 1);
  world.finish(0);
  world.clock.advance(30s);
  world.close();
  world.open();
  const auto late = world.offer(world.event("s"));
  CHECK(has(world.reasons(late.sequence), "throttle: 1/m have started, the next may at " + to_rfc3339(world.clock.now().wall + 30s) + "; 2 others are before it"));
  world.clock.advance(29s);
  world.turn();
  CHECK(world.runner.started.empty());
  world.clock.advance(1s);
  world.turn();
  CHECK(world.runner.started.size() == 1);
}

TEST_CASE("engine: who resumes a handler by its name closes its breaker") {
  Runs world;
  world.handler().breaker = {1, 1h};
  world.open();
  world.offer(world.event("s"));
  world.finish(0, RunState::failed);
  world.offer(world.event("s"));
  REQUIRE(world.runner.started.size() == 1);
  CHECK(world.engine->why_waiting(world.runs().back()).find("`hark daemon resume --handler h` closes it") != std::string::npos);
  REQUIRE(world.resume(""));
  world.turn();
  CHECK(world.runner.started.size() == 1);  // all that were paused; a breaker is another thing
  REQUIRE(world.resume("h"));
  world.turn();
  CHECK(world.runner.started.size() == 2);
  world.close();
  world.open();
  CHECK(world.engine->breakers().empty());
}

TEST_CASE("engine: a success that state.json missed is the last run, with its result") {
  Runs world;
  world.open();
  world.offer(world.event("s"));
  world.finish(0);
  const auto started = world.engine->last_run().handlers.at("h").last_run;
  LastRun stale;  // as a crash leaves it
  stale.handlers["h"] = {*started - 1min, std::nullopt, "failed", "01OLD"};
  world.engine.reset();
  Engine engine(world.settings, EngineParts{world.loop, world.clock, *world.journal, world.files, world.background, world.emitter}, stale, 99);
  REQUIRE(engine.learn_last_runs());
  const auto& known = engine.last_run().handlers.at("h");
  CHECK(known.last_run == started);
  CHECK(known.last_success == started);
  CHECK(known.last_state == "succeeded");
  CHECK(known.last_run_id.empty());
}

TEST_CASE("engine: a breaker counts on after a restart") {
  Runs world;
  world.handler().breaker = {2, 1min};
  world.open();
  world.offer(world.event("s"));
  world.finish(0, RunState::failed);
  world.close();
  world.open();
  world.offer(world.event("s"));
  world.finish(0, RunState::failed);  // the second in a row
  world.offer(world.event("s"));
  world.clock.advance(20s);
  world.close();
  world.open();
  world.turn();
  CHECK(world.runner.started.empty());
  world.clock.advance(40s);
  world.turn();
  REQUIRE(world.runner.started.size() == 1);
  world.finish(0);
  world.close();
  world.open();
  CHECK(world.engine->breakers().empty());
}

TEST_CASE("engine: what does not start takes no room in the throttle") {
  for (const auto on_busy : {OnBusy::latest, OnBusy::restart, OnBusy::drop}) {
    Runs world;
    world.rule().throttle = Rate{1, 1min};
    world.handler().on_busy = on_busy;
    world.handler().max_concurrent = 1;
    world.open();
    world.offer(world.event("s"));
    CHECK(world.runner.started.size() == 1);
    for (int second = 0; second < 20; ++second) {
      world.clock.advance(1s);
      world.offer(world.event("s"));
    }
    CHECK(world.runner.started.size() == 1);
    world.finish(0);
    world.clock.advance(40s);
    world.turn();
    CHECK(world.runner.started.size() == (on_busy == OnBusy::drop ? 1 : 2));
    world.offer(world.event("s"));
    CHECK(world.runner.started.size() == 2 );
  }
}

TEST_CASE("engine: a run that is cancelled while it waits leaves its room in the throttle to another") {
  Runs world;
  world.rule().throttle = Rate{1, 1min};
  world.open();
  world.offer(world.event("s"));
  world.clock.advance(10s);
  world.offer(world.event("s"));
  world.engine->cancel(world.runs().at(0).id, nullptr);
  world.turn();
  const auto next = world.offer(world.event("s"));
  world.clock.advance(50s);
  world.turn();
  REQUIRE(world.runner.started.size() == 2);
  CHECK(world.runner.started[1].run.event_id == next.event_id);
}

TEST_CASE("engine: with on_busy restart what runs ends for one that had to wait, when its time has come") {
  for (const char* key : {"", "{payload.k}"}) {
    Runs world;
    world.rule().throttle = Rate{1, 1min};
    if (*key) world.rule().key = Template::parse(key);
    world.handler().on_busy = OnBusy::restart;
    world.handler().max_concurrent = 1;
    world.open();
    world.offer(world.event("s"));
    world.offer(world.event("s"));
    world.clock.advance(59s);
    world.turn();
    CHECK_FALSE(world.runner.started[0].stop.stop_requested());
    world.clock.advance(1s);
    world.turn();
    REQUIRE(world.runner.started[0].stop.stop_requested());
    world.finish(0, RunState::cancelled);
    REQUIRE(world.runner.started.size() == 2);
    CHECK(world.runs().back().error.starts_with("ended for event "));
    CHECK_FALSE(world.runner.started[1].stop.stop_requested());
  }
}

TEST_CASE("engine: a throttle bounds what starts after a pause, and after taken slots") {
  Runs world;
  world.settings.max_concurrent_handlers = 3;
  world.rule().throttle = Rate{2, 1min};
  world.open();
  world.engine->pause("h", nullptr);
  for (int i = 0; i < 7; ++i) world.offer(world.event("s"));
  world.clock.advance(10min);
  world.engine->resume("h", nullptr);
  world.turn();
  CHECK(world.runner.started.size() == 2);
  const auto waits = world.runs().at(0);
  CHECK(world.engine->why_waiting(waits).find("throttle: 2/m have started, the next may at ") == 0);
  world.clock.advance(1min);
  world.turn();
  CHECK(world.runner.started.size() == 3);  // no more slots
  world.clock.advance(10min);
  for (std::size_t i = 0; i < 3; ++i) world.finish(i);
  world.turn();
  CHECK(world.runner.started.size() == 5);
}

TEST_CASE("engine: a person's event is not throttled, nor counted; another attempt neither") {
  Runs world;
  world.rule().throttle = Rate{1, 1min};
  world.handler().retry = {2, {1s, 1s, 0}};
  world.open();
  Router::Target direct{"h", true};
  world.engine->offer_to(direct, world.event("s"), nullptr);
  world.turn();
  CHECK(world.runner.started.size() == 1);
  world.close();
  world.open();
  world.offer(world.event("s"));
  REQUIRE(world.runner.started.size() == 1);
  world.finish(0, RunState::failed, world.exit_code(1));
  world.clock.advance(1s);
  world.turn();
  CHECK(world.runner.started.size() == 2);
  world.offer(world.event("s"));
  CHECK(world.runner.started.size() == 2);
  world.finish(1);
  world.close();
  world.open();
  world.clock.advance(58s);
  world.turn();
  CHECK(world.runner.started.empty());  // the first attempt counts, one second before the other
  world.clock.advance(1s);
  world.turn();
  CHECK(world.runner.started.size() == 1);
}

TEST_CASE("engine: retention leaves what a throttle counts") {
  Runs world;
  world.rule().throttle = Rate{2, 1h};
  world.settings.retention_events = 1;
  world.open();
  for (int i = 0; i < 2; ++i) world.offer(world.event("s"));
  world.finish(0);
  world.finish(1);
  for (int i = 0; i < 5; ++i) world.offer(world.event("nobody"));
  REQUIRE(world.engine->prune().ok());
  world.close();
  world.open();
  world.offer(world.event("s"));
  CHECK(world.runner.started.empty());
  world.clock.advance(1h);
  world.turn();
  CHECK(world.runner.started.size() == 1);
  world.finish(0);
  CHECK(world.engine->prune().value().events > 0);
  CHECK(world.runs().size() == 1);
}

TEST_CASE("engine: with on_busy restart what runs is not ended for one that has to wait") {
  Runs world;
  world.rule().throttle = Rate{1, 1min};
  world.handler().on_busy = OnBusy::restart;
  world.handler().max_concurrent = 1;
  world.open();
  world.offer(world.event("s"));
  world.offer(world.event("s"));
  CHECK_FALSE(world.runner.started[0].stop.stop_requested());
  CHECK(world.engine->executor().active() == 1);
}

TEST_CASE("engine: with on_busy restart what runs is ended only for a later one that can take its place") {
  Runs world;
  world.handler().on_busy = OnBusy::restart;
  world.handler().max_concurrent = 1;
  SUBCASE("there is room for both") {
    world.handler().max_concurrent = 3;
    world.open();
    world.offer(world.event("s"));
    world.offer(world.event("s"));
    CHECK(world.runner.started.size() == 2);
  }
  SUBCASE("the one that waits is an older one") {
    world.open();
    const auto old = world.offer(world.event("s"));
    world.finish(0, RunState::failed);
    world.offer(world.event("s"));
    REQUIRE(world.runner.started.size() == 2);
    REQUIRE(world.ask([&](Engine::Done done) { world.engine->retry(world.runner.started[0].run.id, std::move(done)); }));
    world.turn();
    CHECK_FALSE(world.runner.started[1].stop.stop_requested());
    world.finish(1);
    REQUIRE(world.runner.started.size() == 3);
    CHECK(world.runner.started[2].event->id == old.event_id);
  }
  SUBCASE("its handler is paused") {
    world.open();
    world.offer(world.event("s"));
    REQUIRE(world.pause("h"));
    world.offer(world.event("s"));
    CHECK_FALSE(world.runner.started[0].stop.stop_requested());
    REQUIRE(world.resume("h"));
    CHECK(world.runner.started[0].stop.stop_requested());
    return;
  }
  for (const auto& assignment : world.runner.started) CHECK_FALSE(assignment.stop.stop_requested());
}

TEST_CASE("engine: what is refused ends nothing") {
  Runs world;
  world.handler().on_busy = OnBusy::restart;
  world.handler().max_concurrent = 1;
  world.open();
  world.offer(world.event("s"));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit full = before;
  full.rlim_cur = std::filesystem::file_size(world.folder / "journal.db-wal");
  REQUIRE(setrlimit(RLIMIT_FSIZE, &full) == 0);  // as on a full disk
  const auto refused = world.offer(world.event("s"));
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK_FALSE(refused.taken());
  CHECK_FALSE(world.runner.started[0].stop.stop_requested());
  world.clock.advance(2s);
  const auto taken = world.offer(world.event("s"));
  CHECK(taken.taken());
  REQUIRE(world.runner.started[0].stop.stop_requested());
  world.finish(0, RunState::cancelled);
  const auto ended = (*world.journal->event(world.runner.started[0].event->id))->sequence;
  CHECK(has(world.reasons(ended), "ended for event " + taken.event_id + " (on_busy is \"restart\")"));
}

TEST_CASE("engine: an event that lacks one of the values of its dedupe_key is never a duplicate") {
  Runs world;
  world.rule().dedupe_key = Template::parse("{payload.a}/{payload.b}");
  world.open();
  const auto offered = [&](const char* data) {
    auto event = world.event("s");
    event.data = *Payload::parse(data);
    return world.offer(std::move(event)).outcome;
  };
  for (const char* data : {R"({"a":1})", R"({"b":1})", R"({})", R"({"a":1,"b":null})", R"({"a":1,"b":""})", R"({"a":1,"b":[]})"}) {
    CAPTURE(data);
    CHECK(offered(data) == Acceptance::Outcome::accepted);
    CHECK(offered(data) == Acceptance::Outcome::accepted);
  }
  CHECK(offered(R"({"a":1,"b":0})") == Acceptance::Outcome::accepted);
  CHECK(offered(R"({"a":1,"b":0})") == Acceptance::Outcome::duplicate);
  CHECK(offered(R"({"a":1,"b":false})") == Acceptance::Outcome::accepted);
}

TEST_CASE("engine: a batch is one event with all of them") {
  Runs world;
  world.rule().batch = Rule::Batch{3, 5s};
  world.open();
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(world.offer(world.event("s")).event_id);
  world.turn();
  REQUIRE(world.runner.started.size() == 1);
  const auto& event = *world.runner.started[0].event;
  CHECK(event.members == 3);
  const auto& events = event.data.json()["events"];
  REQUIRE(events.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(events[i]["id"] == ids[i]);
  world.offer(world.event("s"));  // fewer wait for the time
  world.clock.advance(5s);
  world.turn();
  REQUIRE(world.runner.started.size() == 2);
  CHECK(world.runner.started[1].event->members == 1);
}

TEST_CASE("engine: a flood of one source leaves the others' turn alone") {
  Runs world;
  world.source("calm");
  world.open();
  std::vector<std::string> order;
  const auto count = limits::kEventsPerTurn * 4;
  std::size_t answered = 0;
  for (std::size_t i = 0; i < count; ++i) {
    world.engine->offer(world.event("s"), [&](const Acceptance&) {
      ++answered;
    });
  }
  std::optional<std::size_t> calm;
  world.engine->offer(world.event("calm"), [&](const Acceptance& acceptance) { calm = acceptance.sequence; });
  world.until([&] { return calm && answered == count; });
  CHECK(*calm <= 2);
}

TEST_CASE("engine: a run that has ended gives its slot to the next before a round of offers is through") {
  Runs world;
  world.settings.max_concurrent_handlers = 1;
  world.open();
  world.offer(world.event("s"));
  world.offer(world.event("s"));
  REQUIRE(world.runner.started.size() == 1);
  world.runner.ended = [&] {
    auto run = world.runner.started[0].run;
    run.state = RunState::succeeded;
    run.finished = world.clock.now().wall;
    world.engine->reports().finished(run);
  };
  std::size_t answered = 0;
  for (int i = 0; i < 10; ++i) {
    world.engine->offer(world.event("s"), [&](const Acceptance& acceptance) { answered += acceptance.taken() ? 1 : 0; });
    CHECK(world.runner.started.size() == 2);
  }
  CHECK(answered == 0);  // not from within the offer
  world.until([&] { return answered == 10; });
}
