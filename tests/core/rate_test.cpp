#include "core/rate.h"

#include <doctest/doctest.h>

using namespace hark;
using namespace std::chrono_literals;

namespace {

int let_through(RateLimiter& limiter, SteadyTime now, int asked) {
  int count = 0;
  for (int i = 0; i < asked; ++i) count += limiter.take(now) == Duration::zero();
  return count;
}

}  // namespace

TEST_CASE("rate: a count and one of four units, written as it was read") {
  for (const auto& [text, count, unit] : {std::tuple{"100/s", 100, Duration(1s)}, {"10/m", 10, Duration(1min)}, {"1/h", 1, Duration(1h)}, {"1000000/d", 1'000'000, Duration(24h)}}) {
    CAPTURE(text);
    const auto rate = Rate::parse(text);
    REQUIRE(rate);
    CHECK(rate->count == count);
    CHECK(rate->unit == unit);
    CHECK(to_string(*rate) == text);
  }
}

TEST_CASE("rate: what is none is told what it lacks") {
  for (const auto& [text, word] : {std::pair{"100", "no `/`"},
                                   {"", "no `/`"},
                                   {"/s", "no whole number"},
                                   {"x/s", "no whole number"},
                                   {"1.5/s", "no whole number"},
                                   {"+1/s", "no whole number"},
                                   {" 1/s", "no whole number"},
                                   {"0/s", "from 1 to 1000000"},
                                   {"-1/s", "from 1 to 1000000"},
                                   {"1000001/s", "from 1 to 1000000"},
                                   {"99999999999999999999/s", "from 1 to 1000000"},
                                   {"99999999999999999999x/s", "no whole number"},
                                   {"1/", "s, m, h or d"},
                                   {"1/5s", "s, m, h or d"},
                                   {"1/sec", "s, m, h or d"},
                                   {"1/S", "s, m, h or d"},
                                   {"1/s ", "s, m, h or d"}}) {
    CAPTURE(text);
    const auto rate = Rate::parse(text);
    REQUIRE(!rate);
    CHECK(rate.error().message.find(word) != std::string::npos);
    CHECK(rate.error().message.find("\"" + std::string(text) + "\"") != std::string::npos);
    CHECK(rate.error().message.find("such as \"100/s\"") != std::string::npos);
  }
}

TEST_CASE("rate limiter: the count at once, then one each share of the unit, and never more than that for having waited") {
  RateLimiter limiter(*Rate::parse("4/s"));
  SteadyTime now{24h};
  CHECK(let_through(limiter, now, 10) == 4);
  CHECK(limiter.take(now) == 250ms);
  now += 249ms;
  CHECK(limiter.take(now) == 1ms);
  now += 1ms;
  CHECK(let_through(limiter, now, 10) == 1);
  now += 500ms;
  CHECK(let_through(limiter, now, 10) == 2);
  now += 24h;
  CHECK(let_through(limiter, now, 10) == 4);
}

TEST_CASE("rate limiter: what was refused is not counted") {
  RateLimiter limiter(*Rate::parse("1/m"));
  SteadyTime now{};
  CHECK(limiter.take(now) == Duration::zero());
  for (int i = 0; i < 1000; ++i) CHECK(limiter.take(now) == 1min);
  CHECK(limiter.take(now + 1min) == Duration::zero());
}

TEST_CASE("rate limiter: a share that is no whole number of nanoseconds refuses nobody his due") {
  RateLimiter limiter(*Rate::parse("3/s"));
  SteadyTime now{1h};
  CHECK(let_through(limiter, now, 10) == 3);
  for (int second = 0; second < 1000; ++second) {
    now += 1s;
    CHECK(let_through(limiter, now, 10) == 3);
  }
}
