#include "platform/wall_timer.h"

#include <doctest/doctest.h>

#include "platform/clock.h"
#include "platform/loop.h"

using namespace hark;
using namespace std::chrono;

namespace {

std::unique_ptr<WallTimer> timer_of(Loop& loop) {
  auto timer = make_wall_timer(loop);
  REQUIRE_MESSAGE(timer.ok(), timer.error().text());
  return std::move(timer).value();
}

void run_until(Loop& loop, const bool& done) {
  const SystemClock clock;
  const auto deadline = clock.now().steady + 20s;
  while (!done && clock.now().steady < deadline) loop.run_once(1s);
  REQUIRE(done);
}

}  // namespace

TEST_CASE("wall timer: it rings once, not before its time") {
  Loop loop;
  const SystemClock clock;
  const auto timer = timer_of(loop);
  int rings = 0;
  bool done = false;
  const auto when = clock.now().wall + 30ms;
  timer->at(when, [&] {
    ++rings;
    CHECK(clock.now().wall >= when);
    done = true;
  });
  run_until(loop, done);
  CHECK_FALSE(loop.run_once(50ms));
  CHECK(rings == 1);
}

TEST_CASE("wall timer: a time gone by rings at once, but on the loop") {
  Loop loop;
  const auto timer = timer_of(loop);
  for (const WallTime when : {WallTime{}, WallTime{-1h}, WallTime::min(), SystemClock().now().wall}) {
    bool done = false;
    timer->at(when, [&] { done = true; });
    CHECK_FALSE(done);
    run_until(loop, done);
  }
}

TEST_CASE("wall timer: setting it again replaces, cancelling silences") {
  Loop loop;
  const auto timer = timer_of(loop);
  bool first = false, second = false;
  timer->at(WallTime{}, [&] { first = true; });
  timer->at(WallTime{}, [&] { second = true; });
  run_until(loop, second);
  CHECK_FALSE(first);
  timer->at(WallTime{}, [&] { first = true; });
  timer->cancel();
  CHECK_FALSE(loop.run_once(50ms));
  CHECK_FALSE(first);
  timer->at(WallTime::max(), [&] { first = true; });  // no overflow, no ring
  CHECK_FALSE(loop.run_once(50ms));
  CHECK_FALSE(first);
}

TEST_CASE("wall timer: its callback may set it again, and destroy it") {
  Loop loop;
  auto timer = timer_of(loop);
  int rings = 0;
  bool done = false;
  std::function<void()> again = [&] {
    if (++rings < 3) {
      timer->at(WallTime{}, again);
    } else {
      timer.reset();
      done = true;
    }
  };
  timer->at(WallTime{}, again);
  run_until(loop, done);
  CHECK(rings == 3);
}
