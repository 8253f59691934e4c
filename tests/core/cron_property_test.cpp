// Random expressions against two oracles that go through time minute by minute: plain matching in UTC, and a simulation of the
// main loop of Debian's cron (cron.c) over the changes of daylight saving.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/cron.h"
#include "tests/support/rounds.h"

using namespace hark;
using namespace std::chrono;

namespace {

// An expression together with what it means, found on another way than by parsing.
struct Made {
  std::string text;
  std::array<std::set<int>, 5> values;
  std::array<bool, 5> stars{};

  bool matches(std::int64_t minute_of_local_time) const {
    const local_time<minutes> time{minutes{minute_of_local_time}};
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const auto clock = time - day;
    const auto has = [&](std::size_t field, int value) { return values[field].count(value) > 0; };
    if (!has(0, static_cast<int>(clock.count() % 60)) || !has(1, static_cast<int>(clock.count() / 60))) return false;
    if (!has(3, static_cast<int>(static_cast<unsigned>(date.month())))) return false;
    const bool by_day = has(2, static_cast<int>(static_cast<unsigned>(date.day())));
    const bool by_weekday = has(4, static_cast<int>(weekday{day}.c_encoding()));
    return stars[2] || stars[4] ? by_day && by_weekday : by_day || by_weekday;
  }
  bool is_wild() const { return stars[0] || stars[1]; }
};

class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  Made make(int star_chance) {
    constexpr std::array<std::pair<int, int>, 5> kBounds = {{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}}};
    Made made;
    for (std::size_t i = 0; i < 5; ++i) {
      // Months are a star most of the time, so that something happens within weeks.
      const bool star = below(100) < (i == 3 ? 80 : star_chance);
      if (i > 0) made.text += ' ';
      const int elements = star ? 1 : 1 + below(3);
      for (int e = 0; e < elements; ++e) {
        if (e > 0) made.text += ',';
        made.text += element(kBounds[i].first, kBounds[i].second, i == 4, star, made.values[i]);
      }
      made.stars[i] = star;
    }
    return made;
  }

 private:
  std::string element(int low, int high, bool is_weekday, bool star, std::set<int>& values) {
    const auto put = [&](int from, int to, int step) {
      for (int v = from; v <= to; v += step) values.insert(is_weekday ? v % 7 : v);
    };
    const int star_high = is_weekday ? 6 : high;
    if (star) {
      const int step = below(2) == 0 ? 1 : 2 + below(star_high - low - 1);
      put(low, star_high, step);
      return step == 1 ? "*" : "*/" + std::to_string(step);
    }
    const int from = low + below(high - low + 1);
    if (below(2) == 0) {
      put(from, from, 1);
      return std::to_string(from);
    }
    const int to = from + below(high - from + 1);
    const int step = to - from >= 2 && below(2) == 0 ? 2 + below(to - from - 1) : 1;
    put(from, to, step);
    return std::to_string(from) + "-" + std::to_string(to) + (step > 1 ? "/" + std::to_string(step) : "");
  }

  std::mt19937_64 random_;
};

// What Debian's cron would run, real minute by real minute; what a jump forward skips it runs at once.
// `clocks`: the local minute of each real one from a minute before `from` on.
std::vector<WallTime> cron_would_run(const Made& made, const std::vector<std::int64_t>& clocks, WallTime from) {
  std::vector<WallTime> runs;
  std::int64_t virtual_minute = clocks.front();
  for (std::size_t i = 1; i < clocks.size(); ++i) {
    const WallTime time = from + minutes{i - 1};
    const std::int64_t clock = clocks[i];
    const std::int64_t difference = clock - virtual_minute;
    const auto run_if = [&](bool due) {
      if (due && (runs.empty() || runs.back() != time)) runs.push_back(time);
    };
    if (difference == 1 || difference - 1 >= 180 || difference <= -180) {
      run_if(made.matches(clock));
      virtual_minute = clock;
    } else if (difference > 1) {
      run_if(made.is_wild() && made.matches(clock));
      for (; virtual_minute < clock; ++virtual_minute) run_if(!made.is_wild() && made.matches(virtual_minute + 1));
    } else {
      run_if(made.is_wild() && made.matches(clock));
    }
  }
  return runs;
}

}  // namespace

TEST_CASE("cron: random expressions in UTC agree with going through every minute") {
  const auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  Maker maker(seed);
  for (int i = 0; i < hark::test::rounds(200); ++i) {
    const auto made = maker.make(60);
    const auto cron = Cron::parse(made.text);
    INFO(made.text);
    if (!cron.ok()) {
      // Only this may be wrong with what the maker makes.
      CHECK(cron.error().message.find("none of the months has such a day") != std::string::npos);
      continue;
    }
    const std::int64_t start = 29'000'000 + maker.below(2'000'000);  // minutes: 2025 to 2028
    const WallTime after{minutes{start} + seconds{maker.below(60)}};
    std::int64_t expected = start + 1;
    const std::int64_t limit = start + 20 * 24 * 60;
    while (expected <= limit && !made.matches(expected)) ++expected;
    const auto next = cron->next(after, TimeZone::utc());
    REQUIRE(next.has_value());
    INFO(to_rfc3339(after) << " -> " << to_rfc3339(*next));
    if (expected <= limit) {
      CHECK(*next == WallTime{minutes{expected}});
    } else {
      CHECK(*next > WallTime{minutes{limit}});
    }
  }
}

TEST_CASE("cron: random expressions over daylight saving agree with a simulation of Debian's cron") {
  const auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  Maker maker(seed);
  struct Place {
    const char* rule;
    std::array<const char*, 2> changes;
  };
  const Place places[] = {
      {"CET-1CEST,M3.5.0,M10.5.0/3", {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"}},
      {"EST5EDT,M3.2.0,M11.1.0", {"2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"}},
      {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", {"2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"}},
      {"<+00>0<+02>-2,M3.5.0/1,M10.5.0/3", {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"}},  // two hours, as at Troll
      {"AAA0BBB-4,M3.5.0/0,M10.5.0/4", {"2026-03-29T00:00:00Z", "2026-10-25T00:00:00Z"}},      // more than cron makes good
  };
  int runs = 0;
  for (const auto& place : places) {
    const auto zone = TimeZone::from_rule("rule", place.rule);
    REQUIRE(zone.ok());
    for (const char* change : place.changes) {
      const auto from = *from_rfc3339(change) - hours{26};
      const auto to = from + hours{52};
      REQUIRE(zone->offset(*from_rfc3339(change)) != zone->offset(*from_rfc3339(change) - seconds{1}));
      std::vector<std::int64_t> clocks;
      for (auto time = from - minutes{1}; time <= to; time += minutes{1}) {
        clocks.push_back(floor<minutes>(zone->to_local(time).time_since_epoch()).count());
      }
      for (int i = 0; i < hark::test::rounds(100); ++i) {
        const auto made = maker.make(i % 2 == 0 ? 70 : 20);
        const auto cron = Cron::parse(made.text);
        if (!cron.ok()) continue;
        std::vector<WallTime> got;
        for (auto slot = cron->next(from - seconds{1}, *zone); slot && *slot <= to; slot = cron->next(*slot, *zone))
          got.push_back(*slot);
        const auto wanted = cron_would_run(made, clocks, from);
        runs += static_cast<int>(got.size());
        INFO(made.text << " in " << std::string(place.rule) << " around " << std::string(change) << ": " << got.size()
                       << " slots, wanted " << wanted.size());
        CHECK(got == wanted);
        // Asked anywhere in between, the answer is the same.
        const auto moment = from + seconds{maker.below(52 * 3600)};
        const auto later = std::upper_bound(wanted.begin(), wanted.end(), moment);
        if (later != wanted.end()) CHECK(cron->next(moment, *zone) == *later);
      }
    }
  }
  CHECK(runs > test::rounds(1000));
}
