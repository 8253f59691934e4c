// Runs that publish events, and runs that wait for one.
#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "tests/daemon/engine_world.h"

using namespace hark;
using namespace hark::test;
using namespace std::chrono_literals;

namespace {

// A source "s" whose events run "h", and one "t" whose events run nothing.
struct Waits : World {
  Waits() {
    source("s");
    source("t");
    settings.sources.back().rule.handlers = {"other"};
    settings.sources.back().rule.where = *Filter::parse("payload.run:yes");
  }

  Event answer(const std::string& type = "done", const std::string& data = "{}") {
    auto made = event("t");
    made.type = type;
    made.data = *Payload::parse(data);
    return made;
  }

  // The run of that number comes to wait, as its only step.
  Wait wait_for(const std::string& type, const std::string& where = {}, std::optional<Duration> timeout = {}, bool tolerated = false) {
    Wait wait;
    wait.step = "w";
    wait.types = {type};
    wait.where = where;
    wait.since = clock.now().wall;
    if (timeout) wait.until = clock.now().wall + std::chrono::duration_cast<std::chrono::microseconds>(*timeout);
    wait.tolerated = tolerated;
    return wait;
  }
  std::string park(std::size_t index, Wait wait) {
    auto run = runner.started.at(index).run;
    run.state = RunState::waiting;
    run.wait = std::move(wait);
    engine->reports().finished(run);
    until([&] { return journal_run(run.id)->state != RunState::running || runner.started.size() > index + 1; });
    return run.id;
  }
  // Its step has published an event.
  std::string publish(std::size_t index, const std::string& id) {
    const auto& run = runner.started.at(index).run;
    auto made = std::make_shared<Event>();
    made->id = id;
    made->type = "asked";
    made->source = "handlers/h";
    made->causation_id = run.id;
    made->correlation_id = run.correlation_id;
    made->hops = 1;
    StepResult row;
    row.name = "ask";
    row.published = made;
    engine->reports().step_finished(run, 0, row);
    turn();
    return id;
  }
  StepResult row(const std::string& run) {
    const auto found = journal_run(run);
    REQUIRE_FALSE(found->steps.empty());
    return found->steps.back();
  }
  std::size_t count(const std::string& name) { return std::size_t(std::count(heard.begin(), heard.end(), name)); }
};

}  // namespace

TEST_CASE("waits: a run that waits holds no slot, and goes on at once when its event comes") {
  Waits world;
  world.settings.max_concurrent_handlers = 1;
  world.open();
  const auto accepted = world.offer(world.event("s"));
  const auto run = world.park(0, world.wait_for("done", "payload.n:>5"));
  CHECK(world.journal_run(run)->state == RunState::waiting);
  CHECK(world.journal_run(run)->error == "waits for an event of type 'done' (where payload.n:>5)");
  CHECK(world.engine->executor().active() == 0);
  CHECK(world.count("run:waiting") == 1);

  world.offer(world.answer("done", R"({"n": 5})"));
  world.offer(world.answer("undone", R"({"n": 6})"));
  CHECK(world.journal_run(run)->state == RunState::waiting);
  world.clock.advance(3s);
  const auto came = world.offer(world.answer("done", R"({"n": 6})"));
  REQUIRE(world.runner.started.size() == 2);
  const auto& again = world.runner.started[1].run;
  CHECK(again.id == run);
  CHECK(again.attempt == 1);
  REQUIRE(again.steps.size() == 1);
  CHECK(again.steps[0].name == "w");
  CHECK(again.steps[0].state == StepState::succeeded);
  CHECK(again.steps[0].duration == 3s);
  CHECK(nlohmann::json::parse(again.steps[0].output).at("id") == came.event_id);
  CHECK(again.started == world.clock.now().wall - 3s);
  CHECK(world.count("run:started") == 1);
  CHECK(world.count("run:resumed") == 1);
  world.finish(1);
  CHECK(world.journal_run(run)->state == RunState::succeeded);
  CHECK(world.reasons(came.sequence).front() == "run " + run + " waited for it in step 'w'");
  CHECK(world.reasons(accepted.sequence).back() == "step 'w' has waited for event " + came.event_id);
}

TEST_CASE("waits: an event that came since the run has published is found, one from before is not") {
  Waits world;
  world.open();
  world.offer(world.event("s"));
  world.offer(world.answer());
  world.publish(0, "01K9ZQ8GJ0ABCDEFGHJKMNPQRS");
  const auto run = world.park(0, world.wait_for("done"));
  CHECK(world.journal_run(run)->state == RunState::waiting);
  const auto first = world.offer(world.answer());
  REQUIRE(world.runner.started.size() == 2);
  CHECK(nlohmann::json::parse(world.row(run).output).at("id") == first.event_id);

  // The next wait of the run is for another one.
  auto second = world.wait_for("done");
  second.index = 1;
  world.park(1, second);
  CHECK(world.journal_run(run)->state == RunState::waiting);
  world.offer(world.answer());
  CHECK(world.runner.started.size() == 3);

  // What is there when it comes to wait it need not wait for.
  world.offer(world.answer());
  auto third = world.wait_for("done");
  third.index = 2;
  world.park(2, third);
  CHECK(world.runner.started.size() == 4);
  CHECK(world.journal_run(run)->steps.size() == 3);
}

TEST_CASE("waits: an event is published once, however many attempts that takes, and the answer to it is found again") {
  Waits world;
  world.settings.handlers[0].retry = {2, {1s, 1s, 0}};
  world.open();
  world.offer(world.event("s"));
  const auto id = world.publish(0, "01K9ZQ8GJ0ABCDEFGHJKMNPQRS");
  const auto events = world.journal->events({})->size();
  world.offer(world.answer());
  auto wait = world.wait_for("done");
  wait.index = 1;
  world.park(0, wait);
  REQUIRE(world.runner.started.size() == 2);
  StepResult failed;
  failed.exit_code = 1;
  world.finish(1, RunState::failed, failed);
  world.clock.advance(1s);
  world.turn();
  REQUIRE(world.runner.started.size() == 3);
  world.publish(2, id);
  CHECK(world.journal->events({})->size() == events + 1);  // the answer
  world.park(2, wait);
  CHECK(world.runner.started.size() == 4);
}

TEST_CASE("waits: when the time is over the run goes on, with or without a failure") {
  for (const bool tolerated : {false, true}) {
    Waits world;
    world.open();
    world.offer(world.event("s"));
    const auto run = world.park(0, world.wait_for("done", "", 10s, tolerated));
    world.clock.advance(9s);
    world.turn();
    CHECK(world.runner.started.size() == 1);
    world.clock.advance(1s);
    world.turn();
    REQUIRE(world.runner.started.size() == 2);
    CHECK(world.row(run).state == (tolerated ? StepState::tolerated : StepState::timed_out));
    CHECK(world.row(run).error.find("there came no event of type 'done' until ") == 0);
  }
}

TEST_CASE("waits: they outlive the process, and what came meanwhile ends them") {
  Waits world;
  world.settings.handlers[0].max_concurrent = 1;
  world.settings.sources[0].rule.key = Template::parse("{event.subject}");
  world.open();
  world.offer(world.event("s"));
  const auto run = world.park(0, world.wait_for("done", "", 1h));
  world.offer(world.event("s"));  // of the same key
  CHECK(world.runner.started.size() == 1);
  world.kill();
  world.open();
  world.turn();
  CHECK(world.journal_run(run)->state == RunState::waiting);
  CHECK(world.runner.started.empty());  // it has its key still
  world.kill();
  {
    auto other = open_journal(world.settings.journal_file);
    REQUIRE(other);
    auto event = world.answer();
    event.id = "01K9ZQ8GJ0ABCDEFGHJKMNPQRS";
    event.correlation_id = event.id;
    REQUIRE((*other)->begin());
    const auto sequence = (*other)->add_event(event);
    REQUIRE(sequence);
    REQUIRE((*other)->set_routed(*sequence));
    REQUIRE((*other)->commit());
  }
  world.open();
  world.turn();
  REQUIRE(world.runner.started.size() == 1);
  CHECK(world.runner.started[0].run.id == run);
  world.finish(0);
  CHECK(world.runner.started.size() == 2);
}

TEST_CASE("waits: those of another process are left to it as long as it lives, and taken up then") {
  Waits world;
  world.open();
  world.offer(world.event("s"));
  const auto run = world.park(0, world.wait_for("done"));
  const auto own = this_process();
  world.close();
  // This process is at work in its journal a second time, as somebody else.
  world.open();
  world.turn();
  const auto give_to = [&](const Owner& owner) {
    auto opened = sqlite::Connection::open(world.settings.journal_file, sqlite::Connection::Mode::read_write);
    REQUIRE(opened);
    REQUIRE((*opened)->execute("UPDATE runs SET owner_boot = '" + owner.boot_id + "', owner_pid = " + std::to_string(owner.pid) + ", owner_start = " + std::to_string(owner.start_time)));
  };
  world.close();
  // The process above this one lives as long as this one does.
  Owner other = own;
  other.pid = ::getppid();
  other.start_time = [&] {
    std::ifstream stat("/proc/" + std::to_string(other.pid) + "/stat");
    std::string text;
    std::getline(stat, text);
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string field;
    for (int i = 3; i <= 22; ++i) fields >> field;
    return std::stoull(field);
  }();
  REQUIRE(is_alive(other));
  give_to(other);
  world.open();
  world.turn();
  world.offer(world.answer());
  CHECK(world.journal_run(run)->state == RunState::waiting);
  other.start_time += 1;  // another process of this number
  give_to(other);
  world.offer(world.event("t"));  // a turn that looks what others have written
  CHECK(world.runner.started.size() == 1);
}

TEST_CASE("waits: one that a person cancels goes on to clean up after itself") {
  Waits world;
  world.open();
  world.offer(world.event("s"));
  const auto run = world.park(0, world.wait_for("done"));
  CHECK(world.cancel(run));
  REQUIRE(world.runner.started.size() == 2);
  CHECK(world.row(run).state == StepState::cancelled);
  CHECK(world.row(run).error == "a person cancelled it while it waited");
  world.offer(world.answer());
  CHECK(world.runner.started.size() == 2);
}

TEST_CASE("waits: one that was to be cancelled as it came to wait does not begin to") {
  Waits world;
  world.open();
  world.offer(world.event("s"));
  CHECK(world.cancel(world.runner.started[0].run.id));
  const auto run = world.park(0, world.wait_for("done"));
  CHECK(world.row(run).state == StepState::cancelled);
}

TEST_CASE("waits: with on_busy = \"restart\" a later event ends one") {
  Waits world;
  world.settings.handlers[0].max_concurrent = 1;
  world.settings.handlers[0].on_busy = OnBusy::restart;
  world.settings.sources[0].rule.key = Template::parse("{event.subject}");
  world.open();
  world.offer(world.event("s"));
  const auto run = world.park(0, world.wait_for("done"));
  const auto later = world.offer(world.event("s"));
  world.until([&] { return world.runner.started.size() == 2; });
  CHECK(world.runner.started[1].run.id == run);
  CHECK(world.row(run).error == "ended for event " + later.event_id + " (on_busy is \"restart\")");
  world.finish(1, RunState::cancelled);
  world.until([&] { return world.runner.started.size() == 3; });
  CHECK(world.runner.started[2].run.event_id == later.event_id);
}

TEST_CASE("waits: retention leaves the event of one that waits alone") {
  Waits world;
  world.settings.retention_events = 1;
  world.open();
  const auto accepted = world.offer(world.event("s"));
  const auto run = world.park(0, world.wait_for("done"));
  for (int i = 0; i < 5; ++i) world.offer(world.answer("other"));
  world.clock.advance(48h);
  REQUIRE(world.engine->prune());
  CHECK(world.journal_run(run)->state == RunState::waiting);
  CHECK(*world.journal->event_at(accepted.sequence));
  world.offer(world.answer());
  CHECK(world.runner.started.size() == 2);
}

TEST_CASE("waits: a throttle does not count one that goes on") {
  Waits world;
  world.settings.sources[0].rule.throttle = Rate{1, 1h};
  world.open();
  world.offer(world.event("s"));
  world.park(0, world.wait_for("done"));
  world.offer(world.answer());
  CHECK(world.runner.started.size() == 2);
}
