#include <doctest/doctest.h>

#include "tests/daemon/engine_world.h"

using namespace hark;
using namespace hark::test;

namespace {

// A source "s" whose events run "h".
struct Reloading : World {
  Reloading() { source("s"); }
  Handler& handler() { return settings.handlers.at(0); }
  Rule& rule() { return settings.sources.at(0).rule; }
  void reload() { engine->reconfigure(settings); }
};

}  // namespace

TEST_CASE("engine: what runs keeps its handler, what waits begins with the new one") {
  Reloading world;
  world.settings.max_concurrent_handlers = 1;
  world.open();
  world.offer(world.event("s"));
  world.offer(world.event("s"));
  REQUIRE(world.runner.started.size() == 1);
  const auto old = world.runner.started[0].handler;
  world.handler().timeout = 7s;
  world.reload();
  world.turn();
  CHECK(world.runner.started.size() == 1);
  CHECK(world.runner.started[0].handler == old);
  CHECK_FALSE(old->timeout);
  world.finish(0);
  REQUIRE(world.runner.started.size() == 2);
  CHECK(world.runner.started[1].handler->timeout == 7s);
}

TEST_CASE("engine: a larger cap lets go what waits, a smaller one ends nothing") {
  Reloading world;
  world.settings.max_concurrent_handlers = 1;
  world.open();
  for (int i = 0; i < 4; ++i) world.offer(world.event("s"));
  CHECK(world.runner.started.size() == 1);
  world.settings.max_concurrent_handlers = 3;
  world.reload();
  world.until([&] { return world.runner.started.size() == 3; });
  world.settings.max_concurrent_handlers = 1;
  world.reload();
  world.finish(0);
  world.finish(1);
  CHECK(world.runner.started.size() == 3);
  world.finish(2);
  CHECK(world.runner.started.size() == 4);
}

TEST_CASE("engine: a run that waits and has no handler any more stands in the dead letters") {
  Reloading world;
  world.settings.max_concurrent_handlers = 1;
  world.open();
  world.offer(world.event("s"));
  world.offer(world.event("s"));
  world.settings.handlers.erase(world.settings.handlers.begin());
  world.settings.sources.clear();
  world.reload();
  world.finish(0);
  const auto runs = world.runs();
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].state == RunState::failed);
  CHECK(runs[0].dead_since);
  CHECK(runs[0].error == "handler 'h' is not in the configuration any more");
  CHECK(runs[1].state == RunState::succeeded);
}

TEST_CASE("engine: what a debounce holds is let go by the new rules") {
  Reloading world;
  world.rule().debounce = 10s;
  world.open();
  world.offer(world.event("s"));
  world.rule().debounce = 1min;
  world.rule().handlers = {"other"};
  world.reload();
  CHECK(world.engine->router().held() == 1);
  world.clock.advance(9999ms);
  world.turn();
  CHECK(world.runner.started.empty());
  world.clock.advance(1ms);  // its own wait, as it was promised
  world.turn();
  REQUIRE(world.runner.started.size() == 1);
  CHECK(world.runner.started[0].run.handler == "other");
}

TEST_CASE("engine: a breaker goes with its options, and stays with the same") {
  Reloading world;
  world.handler().breaker = {1, 1min};
  world.open();
  world.offer(world.event("s"));
  world.finish(0, RunState::failed);
  world.offer(world.event("s"));
  CHECK(world.runner.started.size() == 1);
  world.handler().timeout = 7s;
  world.reload();
  world.turn();
  CHECK(world.runner.started.size() == 1);
  CHECK(world.engine->breakers().contains("h"));
  world.handler().breaker = {2, 1min};
  world.reload();
  world.until([&] { return world.runner.started.size() == 2; });
  CHECK(world.engine->breakers().empty());
}

TEST_CASE("engine: what a throttle holds back is paced by the new one") {
  Reloading world;
  world.rule().throttle = Rate{1, 1h};
  world.open();
  std::vector<std::uint64_t> events;
  for (int i = 0; i < 4; ++i) events.push_back(world.offer(world.event("s")).sequence);
  REQUIRE(world.runner.started.size() == 1);

  world.rule().throttle = Rate{1, 1min};
  world.reload();
  world.turn();
  CHECK(world.runner.started.size() == 1);  // the one that was started counts
  world.clock.advance(1min);
  world.turn();
  CHECK(world.runner.started.size() == 2);

  world.rule().throttle.reset();
  world.reload();
  world.turn();
  REQUIRE(world.runner.started.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(world.runner.started[i].run.event_sequence == events[i]);
}

TEST_CASE("engine: another throttle leaves alone what waits for another attempt, or in a debounce") {
  Reloading world;
  world.handler().retry = {2, {10min, 10min, 0}};
  world.rule().throttle = Rate{1, 1h};
  world.source("slow", 5min);
  world.open();
  world.offer(world.event("s"));
  world.offer(world.event("slow"));
  world.finish(0, RunState::failed);
  world.rule().throttle.reset();
  world.reload();
  world.turn();
  CHECK(world.runner.started.size() == 1);
  CHECK(world.engine->router().held() == 1);
  world.clock.advance(10min);
  world.turn();
  CHECK(world.runner.started.size() == 3);
}

TEST_CASE("engine: what a full queue means is what the last configuration says") {
  Reloading world;
  world.settings.max_concurrent_handlers = 1;
  world.open();
  world.offer(world.event("s"));
  world.offer(world.event("s"));
  world.settings.queue_limit = 1;
  world.settings.queue_overflow = QueueOverflow::error;
  world.reload();
  CHECK(world.offer(world.event("s")).reason == "the queue is full: 1 runs wait (queue_limit)");
}

TEST_CASE("engine: what a source has gathered goes as it was gathered when it goes itself, or gathers no more") {
  Reloading world;
  const char* how = "";
  SUBCASE("no batch any more") { how = "none"; }
  SUBCASE("a debounce instead") { how = "debounce"; }
  SUBCASE("another name") { how = "renamed"; }
  CAPTURE(how);
  world.rule().batch = Rule::Batch{100, 1h};
  world.open();
  for (int i = 0; i < 5; ++i) world.offer(world.event("s"));
  CHECK(world.runner.started.empty());
  world.rule().batch.reset();
  if (how == std::string("debounce")) world.rule().debounce = 1min;
  if (how == std::string("renamed")) world.settings.sources[0].name = world.rule().source = "t";
  world.reload();
  CHECK(world.journal->runs({})->size() == 1);  // written by the time that it is answered
  REQUIRE(world.runner.started.size() == 1);
  CHECK(world.runner.started[0].event->members == 5);
  world.offer(world.event(world.rule().source));
  CHECK(world.runner.started.size() == (how == std::string("debounce") ? 1 : 2));
}

TEST_CASE("engine: what is gathered waits on when the rest of its source changes") {
  Reloading world;
  world.rule().batch = Rule::Batch{100, 1min};
  world.open();
  for (int i = 0; i < 5; ++i) world.offer(world.event("s"));
  world.rule().batch = Rule::Batch{50, 1h};
  world.rule().priority = 3;
  world.reload();
  world.turn();
  CHECK(world.runner.started.empty());
  world.clock.advance(1min);
  world.turn();
  REQUIRE(world.runner.started.size() == 1);
  CHECK(world.runner.started[0].event->members == 5);
  CHECK(world.runner.started[0].run.priority == 3);
}

TEST_CASE("engine: runs of one key fail one after another, without any other event, when their handler is gone") {
  Reloading world;
  world.rule().key = Template::parse("{payload.k}");
  world.open();
  REQUIRE(world.pause("h"));
  for (int i = 0; i < 4; ++i) world.offer(world.event("s"));
  world.settings.handlers.erase(world.settings.handlers.begin());
  world.reload();
  world.turn();
  REQUIRE(world.resume("h"));
  world.until([&] { return world.journal->runs({.dead = true})->size() == 4; });
}
