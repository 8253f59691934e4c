#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <random>

#include "router/throttle.h"

using namespace hark;
using namespace std::chrono_literals;

namespace {
const SteadyTime t0{1h};
}

TEST_CASE("throttle: so many at once, the next when the first of them is a unit ago") {
  Throttle throttle;
  const Rate rate{2, 1min};
  CHECK(throttle.take({"s", ""}, rate, t0) == 0s);
  CHECK(throttle.take({"s", ""}, rate, t0 + 10s) == 0s);
  CHECK(throttle.take({"s", ""}, rate, t0 + 20s) == 40s);
  CHECK(throttle.take({"s", ""}, rate, t0 + 20s) == 50s);
  CHECK(throttle.take({"s", ""}, rate, t0 + 20s) == 100s);
  CHECK(throttle.take({"s", "another key"}, rate, t0 + 20s) == 0s);
}

TEST_CASE("throttle: no stretch of a unit ever sees more, whatever comes when") {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    Throttle throttle;
    const Rate rate{1 + std::int64_t(random() % 5), 1s};
    std::deque<SteadyTime> starts;
    auto now = t0;
    for (int i = 0; i < 300; ++i) {
      now += std::chrono::milliseconds(random() % 400);
      starts.push_back(now + throttle.take({"s", ""}, rate, now));
      if (starts.size() > std::size_t(rate.count)) {
        CHECK(starts.back() - starts.front() >= rate.unit);
        starts.pop_front();
      }
    }
  }
}

TEST_CASE("throttle: what is given back is another's, and no stretch of a unit sees more for it") {
  Throttle throttle;
  const Rate rate{1, 1min};
  CHECK(throttle.take({"s", ""}, rate, t0) == 0s);
  for (int second = 1; second < 50; ++second) {  // each new one in the place of the last
    const auto now = t0 + std::chrono::seconds(second);
    const auto pause = throttle.take({"s", ""}, rate, now);
    CHECK(now + pause == t0 + 1min);
    throttle.give_back({"s", ""}, now + pause + 1us);
  }
  throttle.give_back({"s", ""}, t0 + 5s);  // there is none
  throttle.give_back({"other", ""}, t0);
  CHECK(throttle.take({"s", ""}, rate, t0 + 50s) == 10s);
  throttle.forget("s");
  CHECK(throttle.take({"s", ""}, rate, t0 + 50s) == 0s);

  for (unsigned seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    Throttle some;
    const Rate bound{1 + std::int64_t(random() % 5), 1s};
    std::deque<SteadyTime> starts;
    auto now = t0;
    for (int i = 0; i < 300; ++i) {
      now += std::chrono::milliseconds(random() % 300);
      const auto start = now + some.take({"s", ""}, bound, now);
      if (start > now && random() % 2 == 0) {
        some.give_back({"s", ""}, start);
        continue;
      }
      starts.push_back(start);
    }
    std::sort(starts.begin(), starts.end());
    for (std::size_t i = std::size_t(bound.count); i < starts.size(); ++i) CHECK(starts[i] - starts[i - std::size_t(bound.count)] >= bound.unit);
  }
}

TEST_CASE("throttle: keys that bound nothing any more are forgotten") {
  Throttle throttle;
  const Rate rate{1, 1s};
  for (int i = 0; i < 100'000; ++i) throttle.take({"s", std::to_string(i)}, rate, t0 + i * 1ms);
  CHECK(throttle.keys() < 5000);
}
