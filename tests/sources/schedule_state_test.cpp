#include "sources/schedule_state.h"

#include <doctest/doctest.h>

#include <random>
#include <set>
#include <string>

#include "core/limits.h"

using namespace hark;
using namespace std::chrono;
using CatchUp = ScheduleOptions::CatchUp;

namespace {

WallTime utc(const std::string& text) {
  const auto time = from_rfc3339(text);
  REQUIRE_MESSAGE(time.has_value(), text);
  return *time;
}

ScheduleState state(const char* cron, CatchUp catch_up, const char* now, const char* last_slot = nullptr, int limit = 100) {
  ScheduleOptions options;
  options.name = "test";
  options.catch_up = catch_up;
  options.catch_up_limit = limit;
  return ScheduleState(*Cron::parse(cron), TimeZone::utc(), options, utc(now),
                       last_slot == nullptr ? std::nullopt : std::optional(utc(last_slot)));
}

// "10:00+2" is a slot at ten with two missed before it.
std::string text(const ScheduleState::Due& due) {
  std::string result;
  for (const auto& slot : due.slots) {
    result += (result.empty() ? "" : " ") + to_rfc3339(slot.time).substr(11, 5);
    if (slot.missed > 0) result += '+' + std::to_string(slot.missed);
  }
  return result;
}

}  // namespace

TEST_CASE("schedule: a slot is due at its time, once, and the next one is what to wake for") {
  auto hourly = state("0 * * * *", CatchUp::none, "2026-11-21T09:30:00Z");
  auto due = hourly.due(utc("2026-11-21T09:30:00Z"));
  CHECK(text(due) == "");
  CHECK(due.wake == utc("2026-11-21T10:00:00Z"));
  due = hourly.due(utc("2026-11-21T09:59:59.999Z"));
  CHECK(text(due) == "");
  due = hourly.due(utc("2026-11-21T10:00:00Z"));
  CHECK(text(due) == "10:00");
  CHECK(due.wake == utc("2026-11-21T11:00:00Z"));
  CHECK(text(hourly.due(utc("2026-11-21T10:00:00Z"))) == "");
  CHECK(text(hourly.due(utc("2026-11-21T10:00:01Z"))) == "");
  CHECK(text(hourly.due(utc("2026-11-21T11:00:00.5Z"))) == "11:00");
}

TEST_CASE("schedule: a first start misses nothing") {
  for (const auto catch_up : {CatchUp::none, CatchUp::one, CatchUp::all}) {
    auto hourly = state("0 * * * *", catch_up, "2026-11-21T10:00:00Z");
    CHECK(text(hourly.due(utc("2026-11-21T10:00:00Z"))) == "");
  }
}

TEST_CASE("schedule: after a downtime, none fires nothing, one the newest, all every slot") {
  const char* const now = "2026-11-21T13:30:00Z";
  const char* const last = "2026-11-21T09:00:00Z";
  auto none = state("0 * * * *", CatchUp::none, now, last);
  CHECK(text(none.due(utc(now))) == "");
  CHECK(text(none.due(utc("2026-11-21T14:00:00Z"))) == "14:00+4");  // says what was passed over
  CHECK(text(none.due(utc("2026-11-21T15:00:00Z"))) == "15:00");

  auto one = state("0 * * * *", CatchUp::one, now, last);
  CHECK(text(one.due(utc(now))) == "13:00+3");
  CHECK(text(one.due(utc("2026-11-21T14:00:00Z"))) == "14:00");

  auto all = state("0 * * * *", CatchUp::all, now, last);
  CHECK(text(all.due(utc(now))) == "10:00 11:00 12:00 13:00");
  auto two = state("0 * * * *", CatchUp::all, now, last, 2);
  CHECK(text(two.due(utc(now))) == "12:00+2 13:00");
}

TEST_CASE("schedule: a restart over a slot of less than a minute ago does not lose it") {
  auto quick = state("0 10 * * *", CatchUp::none, "2026-11-21T10:00:59Z", "2026-11-20T10:00:00Z");
  CHECK(text(quick.due(utc("2026-11-21T10:00:59Z"))) == "10:00");
  auto slow = state("0 10 * * *", CatchUp::none, "2026-11-21T10:01:00Z", "2026-11-20T10:00:00Z");
  CHECK(text(slow.due(utc("2026-11-21T10:01:00Z"))) == "");
}

TEST_CASE("schedule: a suspend and a clock set forward count as downtime") {
  auto none = state("*/10 * * * *", CatchUp::none, "2026-11-21T09:55:00Z");
  CHECK(text(none.due(utc("2026-11-21T10:00:00Z"))) == "10:00");
  CHECK(text(none.due(utc("2026-11-21T12:05:00Z"))) == "");
  CHECK(text(none.due(utc("2026-11-21T14:10:30Z"))) == "14:10+24");
  auto one = state("*/10 * * * *", CatchUp::one, "2026-11-21T09:55:00Z");
  CHECK(text(one.due(utc("2026-11-21T12:05:00Z"))) == "12:00+12");
  auto all = state("*/10 * * * *", CatchUp::all, "2026-11-21T11:35:00Z");
  CHECK(text(all.due(utc("2026-11-21T12:05:00Z"))) == "11:40 11:50 12:00");
}

TEST_CASE("schedule: a clock set back by less than three hours fires no slot again") {
  auto hourly = state("0 * * * *", CatchUp::all, "2026-11-21T09:30:00Z");
  CHECK(text(hourly.due(utc("2026-11-21T12:00:00Z"))) == "10:00 11:00 12:00");
  auto due = hourly.due(utc("2026-11-21T10:30:00Z"));
  CHECK(text(due) == "");
  CHECK(due.wake == utc("2026-11-21T13:00:00Z"));
  CHECK(text(hourly.due(utc("2026-11-21T12:00:00Z"))) == "");
  CHECK(text(hourly.due(utc("2026-11-21T13:00:00Z"))) == "13:00");
}

TEST_CASE("schedule: a clock set back further is followed, also when it was wrong before the start") {
  auto daily = state("0 9 * * *", CatchUp::one, "2030-01-01T09:30:00Z");
  CHECK(text(daily.due(utc("2030-01-02T09:00:00Z"))) == "09:00");
  auto due = daily.due(utc("2026-11-21T08:00:00Z"));
  CHECK(text(due) == "");
  CHECK(due.wake == utc("2026-11-21T09:00:00Z"));
  CHECK(text(daily.due(utc("2026-11-21T09:00:00Z"))) == "09:00");

  auto restarted = state("0 9 * * *", CatchUp::all, "2026-11-21T08:00:00Z", "2030-01-02T09:00:00Z");
  CHECK(text(restarted.due(utc("2026-11-21T08:00:00Z"))) == "");
  CHECK(text(restarted.due(utc("2026-11-21T09:00:00Z"))) == "09:00");
}

TEST_CASE("schedule: a schedule of every second that was away for years starts at once") {
  for (const auto catch_up : {CatchUp::none, CatchUp::one, CatchUp::all}) {
    auto second = state("* * * * * *", catch_up, "2026-11-21T09:00:00Z", "2016-01-01T00:00:00Z");
    const auto due = second.due(utc("2026-11-21T09:00:00Z"));
    REQUIRE_FALSE(due.slots.empty());
    CHECK(due.slots.back().time == utc("2026-11-21T09:00:00Z"));
    CHECK(due.slots.front().missed == limits::kMissedCounted);
    CHECK(due.slots.size() == (catch_up == CatchUp::all ? 100 : 1));
  }
}

TEST_CASE("schedule: a limit out of bounds is one within") {
  auto zero = state("0 * * * *", CatchUp::all, "2026-11-21T13:30:00Z", "2026-11-21T09:00:00Z", 0);
  CHECK(text(zero.due(utc("2026-11-21T13:30:00Z"))) == "13:00+3");
  auto many = state("* * * * * *", CatchUp::all, "2026-11-21T13:30:00Z", "2025-11-21T09:00:00Z", 1'000'000'000);
  CHECK(many.due(utc("2026-11-21T13:30:00Z")).slots.size() == limits::kCatchUpSlots);
}

TEST_CASE("schedule: jitter makes each slot late by the same share, and leaves the slot its name") {
  ScheduleOptions options;
  options.name = "nightly";
  options.jitter = 10min;
  const auto share = duration_cast<microseconds>(duration<double, std::micro>(duration_cast<microseconds>(options.jitter)) *
                                                 jitter_share("nightly"));
  REQUIRE(share > 0s);
  REQUIRE(share < 10min);
  const auto start = utc("2026-11-21T09:30:00Z");
  ScheduleState hourly(*Cron::parse("0 * * * *"), TimeZone::utc(), options, start, std::nullopt);
  auto due = hourly.due(start);
  CHECK(due.wake == utc("2026-11-21T10:00:00Z") + share);
  CHECK(text(hourly.due(utc("2026-11-21T10:00:00Z") + share - 1us)) == "");
  due = hourly.due(utc("2026-11-21T10:00:00Z") + share);
  CHECK(text(due) == "10:00");
  CHECK(due.wake == utc("2026-11-21T11:00:00Z") + share);
}

TEST_CASE("schedule: shares of the jitter are stable and spread") {
  CHECK(jitter_share("weekly") == jitter_share("weekly"));
  std::set<int> tenths;
  for (int i = 0; i < 200; ++i) {
    const auto share = jitter_share("job-" + std::to_string(i));
    CHECK(share >= 0.0);
    CHECK(share < 1.0);
    tenths.insert(static_cast<int>(share * 10));
  }
  CHECK(tenths.size() == 10);
  CHECK(jitter_share("") < 1.0);
}

TEST_CASE("schedule: whatever way time goes, no slot is offered twice within three hours") {
  const auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  for (const auto catch_up : {CatchUp::none, CatchUp::one, CatchUp::all}) {
    auto now = utc("2026-11-21T09:30:00Z");
    ScheduleOptions options;
    options.catch_up = catch_up;
    ScheduleState minute(*Cron::parse("* * * * *"), TimeZone::utc(), options, now, std::nullopt);
    std::set<WallTime> seen;
    auto latest = now;
    for (int i = 0; i < 2000; ++i) {
      const auto due = minute.due(now);
      for (const auto& slot : due.slots) {
        CHECK(seen.insert(slot.time).second);
        CHECK(slot.time <= now);
      }
      REQUIRE(due.wake.has_value());
      CHECK(*due.wake > now);
      latest = std::max(latest, now);
      const auto step = seconds{static_cast<int>(random() % 1200)};
      now = random() % 4 == 0 ? std::max(now - 3 * step, latest - 2h) : random() % 2 == 0 ? now + step : *due.wake;
    }
    CHECK(seen.size() > 100);
  }
}
