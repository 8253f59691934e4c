#include "daemon/overdue.h"

#include <doctest/doctest.h>

#include "tests/daemon/engine_world.h"

using namespace hark;
using namespace hark::test;

namespace {

// One handler that is expected to succeed once a day, and one to be told.
struct Expecting : World {
  Expecting() {
    settings.handlers[0].expect_every = 24h;
    settings.handlers[0].on_overdue = "other";
    source("s");
  }
  void open() {
    World::open();
    watch = std::make_unique<OverdueWatch>(loop, clock, *engine, emitter);
    watch->check();
  }
  std::size_t told() const { return static_cast<std::size_t>(std::count(heard.begin(), heard.end(), "handler:overdue")); }
  // What the timer would do.
  void later(Duration by) {
    clock.advance(by);
    watch->check();
    for (int i = 0; i < 3; ++i) loop.run_once(1ms);
  }
  std::unique_ptr<OverdueWatch> watch;
};

}  // namespace

TEST_CASE("overdue: windows of time that passed without a success") {
  const WallTime since{1000h};
  CHECK(windows_missed(since, 24h, since - 1h) == 0);
  CHECK(windows_missed(since, 24h, since + 24h - 1us) == 0);
  CHECK(windows_missed(since, 24h, since + 24h) == 1);
  CHECK(windows_missed(since, 24h, since + 71h) == 2);
}

TEST_CASE("overdue: a handler that never succeeded is told when its window has passed, once a window, and its other handler runs") {
  Expecting world;
  world.open();
  world.later(23h + 59min);
  CHECK(world.told() == 0);
  world.later(1min);
  CHECK(world.told() == 1);
  world.until([&] { return world.runner.started.size() == 1; });
  const auto& told = world.runner.started[0];
  CHECK(told.run.handler == "other");
  CHECK(told.event->type == "handler:overdue");
  CHECK(told.event->subject == "h");
  const auto data = told.event->data.json();
  CHECK(data.at("expect_every") == "1d");
  CHECK(data.at("last_success").is_null());
  CHECK(data.at("missed") == 1);
  world.later(23h);
  CHECK(world.told() == 1);
  world.later(1h);
  CHECK(world.told() == 2);
}

TEST_CASE("overdue: a success begins a new window, a failure does not") {
  Expecting world;
  world.open();
  world.clock.advance(23h);
  world.offer(world.event("s"));
  world.until([&] { return world.runner.started.size() == 1; });
  world.finish(0);
  world.later(23h);
  CHECK(world.told() == 0);
  CHECK_FALSE(overdue_since(*world.engine->handlers().at("h"), *world.engine, world.clock.now().wall));
  world.offer(world.event("s"));
  world.until([&] { return world.runner.started.size() == 2; });
  world.finish(1, RunState::failed);
  world.later(2h);
  CHECK(world.told() == 1);
  const auto since = overdue_since(*world.engine->handlers().at("h"), *world.engine, world.clock.now().wall);
  CHECK(since == world.clock.now().wall - 1h);
}

TEST_CASE("overdue: what is told is not told again after a restart, and the window goes on") {
  Expecting world;
  world.open();
  world.later(25h);
  world.until([&] { return world.runner.started.size() == 1; });
  const auto known = world.engine->last_run();
  CHECK(known.handlers.at("h").expected_since == world.clock.now().wall - 25h);
  world.watch = std::make_unique<OverdueWatch>(world.loop, world.clock, *world.engine, world.emitter);
  world.later(0h);
  CHECK(world.runner.started.size() == 1);  // its event was a duplicate
  world.later(23h);
  world.until([&] { return world.runner.started.size() == 2; });
}

TEST_CASE("overdue: without expect_every nothing is looked at") {
  Expecting world;
  world.settings.handlers[0].expect_every.reset();
  world.open();
  world.later(1000h);
  CHECK(world.told() == 0);
  CHECK(world.engine->last_run().handlers.empty());
}
