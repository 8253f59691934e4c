#include <doctest/doctest.h>

#include <deque>
#include <random>

#include "queue/throttle.h"

using namespace hark;
using namespace std::chrono_literals;

namespace {
const SteadyTime t0{1h};
}

TEST_CASE("throttle: so many at once, the next when the first of them is a unit ago") {
  Throttle throttle({2, 1min});
  CHECK(throttle.room(1, t0) == 2);
  throttle.start(1, t0);
  CHECK(throttle.next(1, t0 + 10s) == t0 + 10s);
  throttle.start(1, t0 + 10s);
  CHECK(throttle.room(1, t0 + 20s) == 0);
  CHECK(throttle.next(1, t0 + 20s) == t0 + 1min);
  CHECK(throttle.next(2, t0 + 20s) == t0 + 20s);
  CHECK(throttle.room(2, t0 + 20s) == 2);
  CHECK(throttle.room(1, t0 + 1min) == 1);
  CHECK(throttle.next(1, t0 + 1min) == t0 + 1min);
  throttle.start(1, t0 + 1min);
  CHECK(throttle.next(1, t0 + 1min) == t0 + 1min + 10s);
}

TEST_CASE("throttle: a stretch begins when the run has begun, not when it was chosen") {
  Throttle throttle({2, 1min});
  throttle.start(1, t0);
  throttle.began(t0 + 5ms);
  throttle.start(2, t0 + 1s);
  throttle.start(1, t0 + 1s);
  throttle.start(2, t0 + 1s);
  throttle.began(t0 + 3s);
  throttle.began(t0 + 9s);  // all have begun
  CHECK(throttle.next(1, t0 + 30s) == t0 + 1min + 5ms);
  CHECK(throttle.next(2, t0 + 30s) == t0 + 1min + 3s);
  throttle.start(1, t0 + 1min + 5ms);
  CHECK(throttle.next(1, t0 + 1min + 5ms) == t0 + 1min + 3s);
}

TEST_CASE("throttle: what began earlier counts") {
  Throttle throttle({2, 1min});
  for (int i = 0; i < 5; ++i) throttle.count(1, t0 - 50s + i * 10s);
  throttle.began(t0);
  CHECK(throttle.next(1, t0) == t0 + 40s);
  CHECK(throttle.room(1, t0 + 45s) == 1);
}

TEST_CASE("throttle: no stretch of a unit ever sees more, and none sees less for nothing") {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto count = 1 + random() % 5;
    Throttle throttle({static_cast<std::int64_t>(count), 1s});
    std::deque<SteadyTime> starts;
    auto now = t0;
    for (int i = 0; i < 300; ++i) {
      now += std::chrono::milliseconds(random() % 400);
      const auto next = throttle.next(7, now);
      CHECK((throttle.room(7, now) > 0) == (next == now));
      if (next > now) {
        CHECK(next == starts.front() + 1s);
        now = next;
      }
      throttle.start(7, now);
      now += std::chrono::milliseconds(random() % 50);
      throttle.began(now);
      starts.push_back(now);
      if (starts.size() > count) {
        CHECK(starts.back() - starts.front() >= 1s);
        starts.pop_front();
      }
    }
  }
}

TEST_CASE("throttle: keys that bound nothing any more are forgotten, others are not") {
  Throttle throttle({1, 1s});
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const auto now = t0 + std::chrono::milliseconds(i);
    throttle.start(i, now);
    throttle.began(now);
    if (i >= 500) CHECK(throttle.next(i - 500, now) == now + 500ms);
  }
  CHECK(throttle.keys() < 5000);
}
