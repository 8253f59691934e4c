#include "core/posix_tz.h"

#include <doctest/doctest.h>

#include <chrono>
#include <random>
#include <string>
#include "tests/support/rounds.h"

using namespace hark;
using namespace std::chrono;

namespace {

std::int64_t at(int y, unsigned m, unsigned d, int hour = 0, int minute = 0) {
  const auto time = sys_days{year{y} / month{m} / day{d}} + hours{hour} + minutes{minute};
  return duration_cast<seconds>(time.time_since_epoch()).count();
}

PosixTz rule(std::string_view text) {
  auto zone = PosixTz::parse(text);
  INFO(text);
  REQUIRE_MESSAGE(zone.ok(), zone.error().text());
  return *zone;
}

}  // namespace

TEST_CASE("posix zone: the last Sundays of March and October bound Berlin's summer") {
  const auto berlin = rule("CET-1CEST,M3.5.0,M10.5.0/3");
  CHECK(berlin.stretch_at(at(2026, 3, 29, 0, 59)).offset == 3600);
  CHECK(berlin.stretch_at(at(2026, 3, 29, 1, 0)).offset == 7200);
  CHECK(berlin.stretch_at(at(2026, 10, 25, 0, 59)).offset == 7200);
  CHECK(berlin.stretch_at(at(2026, 10, 25, 1, 0)).offset == 3600);
  const auto summer = berlin.stretch_at(at(2026, 7, 1));
  CHECK(summer.begin == at(2026, 3, 29, 1));
  CHECK(summer.end == at(2026, 10, 25, 1));
}

TEST_CASE("posix zone: summer on the southern half of the earth goes over the turn of the year") {
  const auto lord_howe = rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0");
  CHECK(lord_howe.stretch_at(at(2026, 1, 1)).offset == 11 * 3600);
  CHECK(lord_howe.stretch_at(at(2026, 7, 1)).offset == 10 * 3600 + 1800);
  CHECK(lord_howe.stretch_at(at(2026, 4, 4, 15)).begin == at(2026, 4, 4, 15));
  CHECK(lord_howe.stretch_at(at(2026, 10, 3, 15, 30)).begin == at(2026, 10, 3, 15, 30));
}

TEST_CASE("posix zone: dates by day of the year, with and without 29 February") {
  const auto julian = rule("AAA0BBB,J60/0,J300/0");  // 1 March in every year
  CHECK(julian.stretch_at(at(2024, 7, 1)).begin == at(2024, 3, 1));
  CHECK(julian.stretch_at(at(2025, 7, 1)).begin == at(2025, 3, 1));
  const auto counted = rule("AAA0BBB,59/0,300/0");  // the 60th day
  CHECK(counted.stretch_at(at(2024, 7, 1)).begin == at(2024, 2, 29));
  CHECK(counted.stretch_at(at(2025, 7, 1)).begin == at(2025, 3, 1));
}

TEST_CASE("posix zone: hours beyond a day and below zero, as RFC 9636 adds them") {
  const auto nuuk = rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0");
  CHECK(nuuk.stretch_at(at(2026, 7, 1)).begin == at(2026, 3, 29, 1));
  const auto gaza = rule("EET-2EEST,M3.4.4/50,M10.4.4/50");
  CHECK(gaza.stretch_at(at(2026, 7, 1)).begin == at(2026, 3, 28, 0));
}

TEST_CASE("posix zone: summer all year has no gaps") {
  const auto always = rule("XXX3EDT4,0/0,J365/23");
  for (int day = 0; day < 800; ++day) CHECK(always.stretch_at(at(2025, 1, 1) + day * 86'400LL + 1800).offset == -4 * 3600);
}

TEST_CASE("posix zone: negative summer time, as in Dublin") {
  const auto dublin = rule("IST-1GMT0,M10.5.0,M3.5.0/1");
  CHECK(dublin.stretch_at(at(2026, 7, 1)).offset == 3600);
  CHECK(dublin.stretch_at(at(2026, 1, 1)).offset == 0);
}

TEST_CASE("posix zone: summer time without dates follows the United States") {
  CHECK(rule("EST5EDT").stretch_at(at(2026, 7, 1)).begin == at(2026, 3, 8, 7));
}

TEST_CASE("posix zone: years far away repeat those of the same 400 years") {
  const auto berlin = rule("CET-1CEST,M3.5.0,M10.5.0/3");
  const std::int64_t cycle = 146'097LL * 86'400;
  for (const std::int64_t cycles : {-100'000LL, -5LL, 3LL, 100'000LL}) {
    const auto near = berlin.stretch_at(at(2026, 7, 1));
    const auto far = berlin.stretch_at(at(2026, 7, 1) + cycles * cycle);
    CHECK(far.begin == near.begin + cycles * cycle);
    CHECK(far.end == near.end + cycles * cycle);
    CHECK(far.offset == near.offset);
  }
  CHECK(berlin.stretch_at(PosixTz::kNeverBefore).offset != 0);
  CHECK(berlin.stretch_at(PosixTz::kNeverAfter).offset != 0);
}

TEST_CASE("posix zone: what is none is refused") {
  for (const char* text : {"",
                           "C",
                           "CE-1",
                           "CET",
                           "CET-",
                           "CET-25",
                           "CET-1:60",
                           "CET-1CEST,",
                           "CET-1CEST,M3.5.0",
                           "CET-1CEST,M3.5.0,",
                           "CET-1CEST,M13.5.0,M10.5.0",
                           "CET-1CEST,M3.6.0,M10.5.0",
                           "CET-1CEST,M3.5.7,M10.5.0",
                           "CET-1CEST,J0,J1",
                           "CET-1CEST,J366,J1",
                           "CET-1CEST,366,1",
                           "CET-1CEST,M3.5.0/168,M10.5.0",
                           "CET-1CEST,M3.5.0,M10.5.0/3x",
                           "<CET-1",
                           "<>-1",
                           "CET-1 ",
                           "Europe/Berlin",
                           "<+0\n1>-1",
                           "CET-1CEST,M3.5.0,M10.5.0/99999999999"}) {
    INFO(text);
    CHECK_FALSE(PosixTz::parse(text).ok());
  }
}

TEST_CASE("posix zone: no text is a crash, and stretches hold what they were asked for") {
  const auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  const std::string alphabet = "CETST<>+-0123456789,./:JM";
  const std::string valid = "CET-1CEST,M3.5.0,M10.5.0/3";
  for (int i = 0; i < test::rounds(20'000); ++i) {
    std::string text = valid;
    for (auto changes = random() % 4; changes-- > 0;) text[random() % text.size()] = alphabet[random() % alphabet.size()];
    const auto zone = PosixTz::parse(text);
    if (!zone.ok()) continue;
    const auto moment = static_cast<std::int64_t>(random() % (1ull << 60)) - (std::int64_t{1} << 59);
    const auto stretch = zone->stretch_at(moment);
    INFO(text);
    CHECK(stretch.begin <= moment);
    CHECK(moment < stretch.end);
  }
}
