#include "core/time_zone.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>
#include "tests/support/rounds.h"

using namespace hark;
using namespace std::chrono;

namespace {

WallTime utc(const char* text) {
  const auto time = from_rfc3339(text);
  REQUIRE(time.has_value());
  return *time;
}

LocalTime local(int y, unsigned m, unsigned d, int hour, int minute = 0) {
  return local_days{year{y} / month{m} / day{d}} + hours{hour} + minutes{minute};
}

// Writes TZif as RFC 9636 describes it, so that each field can be made wrong.
struct TzifWriter {
  std::vector<std::pair<std::int64_t, std::uint8_t>> changes;
  std::vector<std::int32_t> offsets = {3600, 7200};
  std::string footer = "\nCET-1CEST,M3.5.0,M10.5.0/3\n";
  char version = '2';
  std::uint32_t leaps = 0;

  static void number(std::string& out, std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  }
  void block(std::string& out, int time_size) const {
    out += "TZif";
    out += version;
    out.append(15, '\0');
    for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{leaps}, std::uint64_t{changes.size()},
                                      std::uint64_t{offsets.size()}, std::uint64_t{4}}) {
      number(out, count, 4);
    }
    for (const auto& change : changes) number(out, static_cast<std::uint64_t>(change.first), time_size);
    for (const auto& change : changes) out += static_cast<char>(change.second);
    for (const auto offset : offsets) {
      number(out, static_cast<std::uint32_t>(offset), 4);
      out.append(2, '\0');
    }
    out.append("CET\0", 4);
    for (std::uint32_t i = 0; i < leaps; ++i) {
      number(out, 78'796'800, time_size);
      number(out, 1, 4);
    }
  }
  std::string bytes() const {
    std::string out;
    block(out, 4);
    if (version == '\0') return out;
    block(out, 8);
    return out + footer;
  }
};

TzifWriter berlin_of_2026() {
  TzifWriter writer;
  writer.changes = {{1'774'746'000, 1}, {1'792'890'000, 0}};  // 2026-03-29T01:00Z, 2026-10-25T01:00Z
  return writer;
}

TimeZone parsed(const TzifWriter& writer) {
  auto zone = TimeZone::parse("Test/Zone", writer.bytes());
  REQUIRE_MESSAGE(zone.ok(), zone.error().text());
  return *zone;
}

}  // namespace

TEST_CASE("time zone: UTC is UTC") {
  const auto zone = TimeZone::utc();
  CHECK(zone.name() == "UTC");
  CHECK(zone.offset(utc("2026-07-01T00:00:00Z")) == 0s);
  CHECK(to_rfc3339(utc("2026-07-01T00:00:00Z"), zone) == "2026-07-01T00:00:00Z");
}

TEST_CASE("time zone: the table says the offset up to its last change, the footer from there on") {
  const auto zone = parsed(berlin_of_2026());
  CHECK(zone.name() == "Test/Zone");
  CHECK(zone.offset(utc("1970-01-01T00:00:00Z")) == 1h);
  CHECK(zone.offset(utc("2025-07-01T00:00:00Z")) == 1h);  // before the table begins: its first type
  CHECK(zone.offset(utc("2026-03-29T00:59:59.999Z")) == 1h);
  CHECK(zone.offset(utc("2026-03-29T01:00:00Z")) == 2h);
  CHECK(zone.offset(utc("2026-10-25T01:00:00Z")) == 1h);
  CHECK(zone.offset(utc("2060-07-01T00:00:00Z")) == 2h);
  CHECK(zone.offset(utc("2060-12-01T00:00:00Z")) == 1h);
  CHECK(to_rfc3339(utc("2060-07-01T00:00:00Z"), zone) == "2060-07-01T02:00:00+02:00");
}

TEST_CASE("time zone: versions 1, 3 and 4 are read too") {
  auto writer = berlin_of_2026();
  for (const char version : {'2', '3', '4'}) {
    writer.version = version;
    CHECK(parsed(writer).offset(utc("2060-07-01T00:00:00Z")) == 2h);
  }
  writer.version = '\0';  // has no footer: the last type stays
  CHECK(parsed(writer).offset(utc("2026-07-01T00:00:00Z")) == 2h);
  CHECK(parsed(writer).offset(utc("2060-07-01T00:00:00Z")) == 1h);
}

TEST_CASE("time zone: a file without changes follows its footer for all time, or its only type") {
  auto writer = berlin_of_2026();
  writer.changes.clear();
  CHECK(parsed(writer).offset(utc("1950-07-01T00:00:00Z")) == 2h);
  writer.footer = "\n\n";
  CHECK(parsed(writer).offset(utc("1950-07-01T00:00:00Z")) == 1h);
}

TEST_CASE("time zone: a reading of the clock is one moment, none in a gap, two in an overlap") {
  using Kind = TimeZone::Moments::Kind;
  for (const auto& zone : {parsed(berlin_of_2026()), *TimeZone::from_rule("rule", "CET-1CEST,M3.5.0,M10.5.0/3")}) {
    const auto plain = zone.to_moments(local(2026, 7, 1, 12));
    CHECK(plain.kind == Kind::unique);
    CHECK(plain.first == utc("2026-07-01T10:00:00Z"));

    for (const int minute : {0, 30, 59}) {
      const auto skipped = zone.to_moments(local(2026, 3, 29, 2, minute));
      CHECK(skipped.kind == Kind::skipped);
      CHECK(skipped.first == utc("2026-03-29T01:00:00Z"));
    }
    CHECK(zone.to_moments(local(2026, 3, 29, 1, 59)).first == utc("2026-03-29T00:59:00Z"));
    CHECK(zone.to_moments(local(2026, 3, 29, 3, 0)).kind == Kind::unique);
    CHECK(zone.to_moments(local(2026, 3, 29, 3, 0)).first == utc("2026-03-29T01:00:00Z"));

    const auto repeated = zone.to_moments(local(2026, 10, 25, 2, 30));
    CHECK(repeated.kind == Kind::repeated);
    CHECK(repeated.first == utc("2026-10-25T00:30:00Z"));
    CHECK(repeated.second == utc("2026-10-25T01:30:00Z"));
    CHECK(zone.to_moments(local(2026, 10, 25, 3, 0)).kind == Kind::unique);
  }
}

TEST_CASE("time zone: every moment is among those of its own reading") {
  const auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  for (const char* rule :
       {"CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "<+14>-14"}) {
    const auto zone = TimeZone::from_rule("rule", rule);
    for (int i = 0; i < test::rounds(20'000); ++i) {
      const WallTime time{seconds{static_cast<std::int64_t>(random() % 4'000'000'000ull)}};
      const auto moments = zone->to_moments(zone->to_local(time));
      INFO(rule << " " << to_rfc3339(time));
      CHECK(moments.kind != TimeZone::Moments::Kind::skipped);
      CHECK((moments.first == time || (moments.kind == TimeZone::Moments::Kind::repeated && moments.second == time)));
    }
  }
}

TEST_CASE("time zone: an offset of odd seconds is written in UTC, for RFC 3339 has no form for it") {
  TzifWriter writer;
  writer.offsets = {3208};  // Berlin before 1893
  writer.footer = "\n\n";
  CHECK(to_rfc3339(utc("1890-01-01T00:00:00Z"), parsed(writer)) == "1890-01-01T00:00:00Z");
  writer.offsets = {-12'600};
  CHECK(to_rfc3339(utc("1990-01-01T00:00:00Z"), parsed(writer)) == "1989-12-31T20:30:00-03:30");
}

TEST_CASE("time zone: wrong files are errors") {
  const auto refused = [](const TzifWriter& writer) { return !TimeZone::parse("x", writer.bytes()).ok(); };
  CHECK_FALSE(TimeZone::parse("x", "").ok());
  CHECK_FALSE(TimeZone::parse("x", "root:x:0:0:root:/root:/bin/sh\n").ok());
  auto writer = berlin_of_2026();
  writer.changes[1].second = 2;
  CHECK(refused(writer));  // a type that is not there
  writer = berlin_of_2026();
  std::swap(writer.changes[0], writer.changes[1]);
  CHECK(refused(writer));
  writer = berlin_of_2026();
  writer.offsets[1] = 100'000;
  CHECK(refused(writer));
  writer.offsets.clear();
  CHECK(refused(writer));
  writer = berlin_of_2026();
  writer.leaps = 1;
  CHECK(refused(writer));
  CHECK(TimeZone::parse("x", writer.bytes()).error().message.find("leap seconds") != std::string::npos);
  for (const char* footer : {"", "\n", "CET-1\n", "\nCET\n", "\nCET-1CEST,M3.5.0\n"}) {
    writer = berlin_of_2026();
    writer.footer = footer;
    CHECK(refused(writer));
  }
  writer = berlin_of_2026();
  writer.changes = {{std::int64_t{1} << 60, 1}};
  CHECK(refused(writer));
}

TEST_CASE("time zone: a file cut off at any byte is an error") {
  const auto bytes = berlin_of_2026().bytes();
  REQUIRE(TimeZone::parse("x", bytes).ok());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    INFO(size);
    const std::string cut = bytes.substr(0, size);  // a buffer of its own, so that the sanitizer sees its end
    CHECK_FALSE(TimeZone::parse("x", cut).ok());
  }
}

TEST_CASE("time zone: flipped bytes are an error or some zone, never a crash or an endless search") {
  const auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  const auto bytes = berlin_of_2026().bytes();
  const auto use = [](const std::string& hostile) {
    const auto zone = TimeZone::parse("x", hostile);
    if (!zone.ok()) return;
    for (const auto time : {WallTime::min(), utc("2026-03-29T01:00:00Z"), utc("2100-01-01T00:00:00Z"), WallTime::max()}) {
      const auto stretch = zone->stretch_at(whole_seconds(time));
      CHECK(stretch.begin < stretch.end);
      (void)zone->to_moments(zone->to_local(time));
    }
  };
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const int value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      auto hostile = bytes;
      hostile[at] = static_cast<char>(value);
      use(hostile);
    }
  }
  for (int i = 0; i < test::rounds(20'000); ++i) {
    auto hostile = bytes;
    for (auto flips = 1 + random() % 6; flips-- > 0;) hostile[random() % hostile.size()] = static_cast<char>(random());
    use(hostile);
  }
}
