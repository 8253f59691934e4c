#include <doctest/doctest.h>

#include <stdexcept>

#include "daemon/signal.h"
#include "tests/daemon/engine_world.h"

using namespace hark;
using namespace hark::test;

namespace {

struct SignalWorld : World {
  SignalWorld() {
    source("web");
    settings.signals = {{"session_pause", "pause"}, {"session_resume", "resume"}, {"gate_complete", "release"}, {"emergency_stop", "halt"}, {"agent_error", "retry", 2, "other"}, {"agent_blocked", "pause", 3, "other"}};
  }
  Event of(std::string session) {
    auto made = event("web");
    made.correlation_id = std::move(session);
    return made;
  }
  Acceptance signal(std::string type, std::string session, nlohmann::json data = nullptr) {
    Event made;
    made.type = std::move(type);
    made.source = "publishers/test";
    made.correlation_id = std::move(session);
    made.data = Payload(std::move(data));
    return offer(std::move(made));
  }
  // What it did.
  std::string said(const Acceptance& signal) { return reasons(signal.sequence).at(0); }
  void begun(std::size_t count) {
    until([&] { return runner.started.size() == count; });
  }
};

}  // namespace

TEST_CASE("signals: a paused session's runs stay put until it goes on, others do not") {
  SignalWorld world;
  world.open();
  const auto pause = world.signal("session_pause", "story");
  CHECK(world.said(pause) == "session story is paused: its runs that wait stay put");
  CHECK(world.said(world.signal("session_pause", "story")) == "session story is paused already");
  world.offer(world.of("story"));
  world.offer(world.of("another"));
  world.begun(1);
  CHECK(world.runner.started[0].run.correlation_id == "another");
  CHECK(world.engine->set_aside() == 1);
  const auto held = world.runs().at(1);
  CHECK(held.state == RunState::queued);
  CHECK(world.engine->why_waiting(held) == "session story is paused by a signal");

  SUBCASE("at once") {}
  SUBCASE("over a restart") {
    world.finish(0);
    world.close();
    world.open();
    world.turn();
    CHECK(world.engine->set_aside() == 1);
    world.offer(world.of("another"));
    world.begun(1);
  }
  const auto resume = world.signal("session_resume", "story");
  CHECK(world.said(resume) == "session story goes on");
  world.begun(2);
  CHECK(world.runner.started[1].run.id == held.id);
  CHECK(world.said(world.signal("session_resume", "story")) == "session story is not paused");
  CHECK(world.engine->set_aside() == 0);
}

TEST_CASE("signals: a run of a paused session keeps its place in its key, and can be cancelled") {
  SignalWorld world;
  world.settings.sources.back().rule.key = Template::parse("one");
  world.settings.handlers[0].max_concurrent = 1;
  world.open();
  world.signal("session_pause", "story");
  world.offer(world.of("story"));
  world.offer(world.of("another"));
  world.turn();
  CHECK(world.runner.started.empty());
  const auto held = world.runs().at(1);
  REQUIRE(world.cancel(held.id));
  world.begun(1);
  CHECK(world.runner.started[0].run.correlation_id == "another");
  CHECK(world.journal_run(held.id)->state == RunState::cancelled);
}

TEST_CASE("signals: one that is blocked pauses its session and somebody is told, who runs all the same") {
  SignalWorld world;
  world.open();
  world.signal("agent_blocked", "story");
  world.begun(1);
  CHECK(world.runner.started[0].run.handler == "other");
  CHECK(world.runner.started[0].event->type == "agent_blocked");
  world.offer(world.of("story"));
  world.turn();
  CHECK(world.runner.started.size() == 1);
}

TEST_CASE("signals: what names no session, and what is no signal, does nothing") {
  SignalWorld world;
  world.open();
  CHECK(world.said(world.signal("session_pause", "")) == "the signal names no session: its event has no correlation_id");
  CHECK(world.said(world.signal("session_dance", "story")).starts_with("published: no source takes it"));
  auto webhook = world.event("web");
  webhook.type = "emergency_stop";
  webhook.correlation_id = "story";
  world.offer(webhook);
  world.begun(1);
  CHECK_FALSE(world.engine->halted());
}

TEST_CASE("signals: an agent's error has its run tried again, so often, and then somebody is told") {
  SignalWorld world;
  world.open();
  CHECK(world.said(world.signal("agent_error", "story")) == "session story has no run to be tried again");
  world.offer(world.of("story"));
  world.begun(1);
  const auto id = world.runner.started[0].run.id;
  world.finish(0, RunState::failed);
  CHECK(world.said(world.signal("agent_error", "story")) == "run " + id + " is tried again");
  world.begun(2);
  CHECK(world.runner.started[1].run.attempt == 2);
  CHECK_FALSE(world.journal_run(id)->dead_since.has_value());

  // While it runs: it is ended first.
  CHECK(world.said(world.signal("agent_error", "story", {{"run", id}})) == "run " + id + " is ended and tried again");
  world.until([&] { return world.runner.started[1].stop.stop_requested(); });
  auto run = world.runner.started[1].run;
  run.state = RunState::cancelled;
  run.finished = world.clock.now().wall;
  world.engine->reports().finished(run);
  world.begun(3);
  CHECK(world.runner.started[2].run.attempt == 3);

  const auto last = world.signal("agent_error", "story");
  CHECK(world.said(last) == "run " + id + " was tried again 2 times for such signals: no more");
  world.begun(4);
  CHECK(world.runner.started[3].run.handler == "other");
  CHECK_FALSE(world.runner.started[2].stop.stop_requested());
  world.runner.started.resize(3);
  world.finish(2);
}

TEST_CASE("signals: an emergency stop ends what runs, takes nothing in, and all goes on afterwards") {
  SignalWorld world;
  std::vector<bool> hurried;
  world.open();
  world.offer(world.of("story"));
  world.begun(1);
  bool person = false;
  SUBCASE("by a signal") { CHECK(world.said(world.signal("emergency_stop", "")).starts_with("emergency stop")); }
  SUBCASE("by a person") {
    person = true;
    REQUIRE(world.ask([&](Engine::Done done) { world.engine->emergency_stop(std::move(done)); }));
  }
  CHECK(world.runner.started[0].stop.stop_requested());
  CHECK(world.runner.started[0].leave.stop_requested());
  CHECK(world.engine->halted());
  const auto refused = world.offer(world.of("later"));
  CHECK(refused.outcome == Acceptance::Outcome::refused);
  CHECK(refused.reason.starts_with("an emergency stop"));
  auto run = world.runner.started[0].run;
  run.state = RunState::cancelled;
  run.finished = world.clock.now().wall;
  world.engine->reports().finished(run);
  world.until([&] { return world.journal_run(run.id)->state == RunState::queued; });
  CHECK(world.engine->why_waiting(*world.journal_run(run.id)).starts_with("an emergency stop"));
  world.turn();
  CHECK(world.runner.started.size() == 1);
  if (person) {  // and over a restart
    world.close();
    world.open();
    CHECK(world.engine->halted());
    world.turn();
    CHECK(world.runner.started.empty());
  }
  REQUIRE(world.resume(""));
  CHECK_FALSE(world.engine->halted());
  world.until([&] { return !world.runner.started.empty() && world.runner.started.back().run.attempt == 2; });
  CHECK(world.runner.started.back().run.id == run.id);
  CHECK(world.offer(world.of("later")).taken());
}

TEST_CASE("signals: a run that comes to its end after hark went on already goes on as well") {
  SignalWorld world;
  world.open();
  world.offer(world.of("story"));
  world.begun(1);
  REQUIRE(world.ask([&](Engine::Done done) { world.engine->emergency_stop(std::move(done)); }));
  REQUIRE(world.resume(""));
  auto run = world.runner.started[0].run;
  run.state = RunState::cancelled;
  run.finished = world.clock.now().wall;
  world.engine->reports().finished(run);
  world.begun(2);
  CHECK(world.runner.started[1].run.attempt == 2);
}

TEST_CASE("signals: a gate's wait is passed by a signal that names it, its steps' waits are not") {
  SignalWorld world;
  world.open();
  world.offer(world.of("story"));
  world.begun(1);
  auto run = world.runner.started[0].run;
  const auto waits_at = [&](StepPart part) {
    auto waiting = run;
    waiting.state = RunState::waiting;
    Wait wait;
    wait.step = "approval";
    wait.part = part;
    wait.types = {"approved"};
    wait.since = world.clock.now().wall;
    waiting.wait = wait;
    world.engine->reports().finished(waiting);
    world.until([&] { return world.engine->waiting() == 1; });
  };
  waits_at(StepPart::gate);
  CHECK(world.said(world.signal("gate_complete", "another")) == "no run of session another waits at a gate");
  CHECK(world.said(world.signal("gate_complete", "story", {{"gate", "other"}})) == "no run of session story waits at gate 'other'");
  const auto passed = world.signal("gate_complete", "story", {{"gate", "approval"}});
  CHECK(world.engine->waiting() == 0);
  world.begun(2);
  CHECK(world.reasons(passed.sequence).at(1) == "1 run of session story may pass the gate");
  run = world.runner.started[1].run;
  waits_at(StepPart::step);
  CHECK(world.said(world.signal("gate_complete", "story")) == "no run of session story waits at a gate");
  CHECK(world.engine->waiting() == 1);
}

TEST_CASE("signals: one that throws leaves its message in the dead letters, and its event goes on") {
  SignalWorld world;
  class Throwing final : public Signal {
    Status act(const Event&, SignalDesk&) const override { throw std::runtime_error("it did not know how"); }
  };
  world.open();
  world.engine->use_signal("broken", std::make_shared<const Throwing>());
  const auto accepted = world.signal("broken", "story");
  CHECK(accepted.taken());
  RunQuery query;
  query.dead = true;
  const auto letters = world.journal->runs(query);
  REQUIRE(letters->size() == 1);
  CHECK(letters->front().handler == "signal:broken");
  CHECK(letters->front().error == "the signal failed: it did not know how");
  const auto audit = world.journal->audit({});
  REQUIRE(audit->size() == 1);
  CHECK(audit->front().action == "signal");
  CHECK(audit->front().object == "broken");
  CHECK_FALSE(audit->front().done);
  CHECK(audit->front().outcome == "event " + accepted.event_id + ": it did not know how");
  CHECK(letters->front().event_id == accepted.event_id);
}
