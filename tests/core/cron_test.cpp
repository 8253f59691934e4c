#include "core/cron.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/limits.h"

using namespace hark;
using namespace std::chrono;

namespace {

WallTime utc(const std::string& text) {
  const auto time = from_rfc3339(text);
  REQUIRE_MESSAGE(time.has_value(), text);
  return *time;
}

Cron cron(const std::string& expression) {
  auto parsed = Cron::parse(expression);
  REQUIRE_MESSAGE(parsed.ok(), expression << ": " << parsed.error().text());
  return *parsed;
}

TimeZone zone(const char* rule) {
  auto parsed = TimeZone::from_rule("rule", rule);
  REQUIRE(parsed.ok());
  return *parsed;
}
const char* const kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";
const char* const kNewYork = "EST5EDT,M3.2.0,M11.1.0";
const char* const kLordHowe = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";

// The slots of (from, to] as the zone's clock shows them.
std::string slots(const std::string& expression, const char* rule, const std::string& from, const std::string& to) {
  const auto place = zone(rule);
  const auto parsed = cron(expression);
  std::string text;
  for (auto slot = parsed.next(utc(from), place); slot && *slot <= utc(to); slot = parsed.next(*slot, place)) {
    text += (text.empty() ? "" : " ") + to_rfc3339(*slot, place).substr(5);
  }
  return text;
}

std::string utc_slots(const std::string& expression, const std::string& from, std::size_t count) {
  std::string text;
  for (const auto slot : next_slots(cron(expression), utc(from), TimeZone::utc(), count)) {
    text += (text.empty() ? "" : " ") + to_rfc3339(slot).substr(0, 19);
  }
  return text;
}

}  // namespace

TEST_CASE("cron: the first slot is strictly after the moment asked about") {
  const auto noon = cron("0 12 * * *");
  CHECK(noon.next(utc("2026-11-21T11:59:59.999999Z"), TimeZone::utc()) == utc("2026-11-21T12:00:00Z"));
  CHECK(noon.next(utc("2026-11-21T12:00:00Z"), TimeZone::utc()) == utc("2026-11-22T12:00:00Z"));
  CHECK(noon.next(utc("2026-11-21T12:00:00.000001Z"), TimeZone::utc()) == utc("2026-11-22T12:00:00Z"));
  CHECK(noon.text() == "0 12 * * *");
}

TEST_CASE("cron: fields, lists, ranges, steps and names") {
  CHECK(utc_slots("*/20 9-10 * * *", "2026-11-21T09:30:00Z", 4) ==
        "2026-11-21T09:40:00 2026-11-21T10:00:00 2026-11-21T10:20:00 2026-11-21T10:40:00");
  CHECK(utc_slots("5-59/15,0 0 1 JAN,jul *", "2026-11-21T00:00:00Z", 3) ==
        "2027-01-01T00:00:00 2027-01-01T00:05:00 2027-01-01T00:20:00");
  CHECK(utc_slots("0 9 * * MON", "2026-11-21T00:00:00Z", 2) == "2026-11-23T09:00:00 2026-11-30T09:00:00");
  CHECK(utc_slots("0 0 * * sun-tue", "2026-11-21T00:00:00Z", 4) ==
        "2026-11-22T00:00:00 2026-11-23T00:00:00 2026-11-24T00:00:00 2026-11-29T00:00:00");
  CHECK(utc_slots("0 0 * * 5-7", "2026-11-19T00:00:00Z", 4) ==
        "2026-11-20T00:00:00 2026-11-21T00:00:00 2026-11-22T00:00:00 2026-11-27T00:00:00");
  CHECK(utc_slots(" 0\t0  * * 7 ", "2026-11-19T00:00:00Z", 1) == utc_slots("0 0 * * 0", "2026-11-19T00:00:00Z", 1));
  CHECK(utc_slots("0 0 * * 0-7", "2026-11-19T00:00:00Z", 2) == "2026-11-20T00:00:00 2026-11-21T00:00:00");
  CHECK(utc_slots("00 07 * * Fri,sat", "2026-11-19T00:00:00Z", 2) == "2026-11-20T07:00:00 2026-11-21T07:00:00");
}

TEST_CASE("cron: six fields begin with the second") {
  CHECK(utc_slots("*/30 * * * * *", "2026-11-21T23:59:29Z", 3) == "2026-11-21T23:59:30 2026-11-22T00:00:00 2026-11-22T00:00:30");
  CHECK(utc_slots("15 30 9 * * *", "2026-11-21T09:30:14Z", 2) == "2026-11-21T09:30:15 2026-11-22T09:30:15");
}

TEST_CASE("cron: the names of whole schedules") {
  const std::string from = "2026-11-21T10:30:00Z";  // a Saturday
  CHECK(utc_slots("@hourly", from, 1) == "2026-11-21T11:00:00");
  CHECK(utc_slots("@daily", from, 1) == "2026-11-22T00:00:00");
  CHECK(utc_slots("@midnight", from, 1) == "2026-11-22T00:00:00");
  CHECK(utc_slots("@weekly", from, 1) == "2026-11-22T00:00:00");
  CHECK(utc_slots("@monthly", from, 1) == "2026-12-01T00:00:00");
  CHECK(utc_slots("@yearly", from, 1) == "2027-01-01T00:00:00");
  CHECK(utc_slots("@Annually", from, 1) == "2027-01-01T00:00:00");
  CHECK(cron("@daily").text() == "@daily");
}

TEST_CASE("cron: day of month and day of week, either matches, unless one begins with a star") {
  // Both given: the 13th, and every Friday.
  CHECK(utc_slots("0 0 13 * 5", "2026-11-10T00:00:00Z", 3) == "2026-11-13T00:00:00 2026-11-20T00:00:00 2026-11-27T00:00:00");
  CHECK(utc_slots("0 0 12 * 5", "2026-11-10T00:00:00Z", 2) == "2026-11-12T00:00:00 2026-11-13T00:00:00");
  // `*/2` begins with a star: odd days that are Mondays.
  CHECK(utc_slots("0 0 */2 * 1", "2026-11-01T00:00:00Z", 3) == "2026-11-09T00:00:00 2026-11-23T00:00:00 2026-12-07T00:00:00");
  // `1-31` does not, though it names every day: every day.
  CHECK(utc_slots("0 0 1-31 * 1", "2026-11-01T00:00:00Z", 2) == "2026-11-02T00:00:00 2026-11-03T00:00:00");
  // The star must be the first sign of the field: in `5,*/3` it is not.
  CHECK(utc_slots("0 0 1 * 3,*/6", "2026-11-02T00:00:00Z", 3) == "2026-11-04T00:00:00 2026-11-07T00:00:00 2026-11-08T00:00:00");
}

TEST_CASE("cron: 29 February comes, also over the turn of a century and on a given weekday") {
  CHECK(utc_slots("0 0 29 2 *", "2026-11-21T00:00:00Z", 2) == "2028-02-29T00:00:00 2032-02-29T00:00:00");
  CHECK(utc_slots("0 0 29 feb *", "2096-02-29T00:00:00Z", 1) == "2104-02-29T00:00:00");
  CHECK(utc_slots("0 0 29-31 2 *", "2026-11-21T00:00:00Z", 1) == "2028-02-29T00:00:00");
  CHECK(utc_slots("0 0 */28 2 1", "2026-11-21T00:00:00Z", 2) == "2027-02-01T00:00:00 2038-02-01T00:00:00");
}

TEST_CASE("cron: far moments are answered, and beyond the calendar there is nothing") {
  CHECK_FALSE(cron("* * * * *").next(WallTime::max(), TimeZone::utc()).has_value());
  CHECK(cron("* * * * *").next(WallTime::min(), TimeZone::utc()).has_value());
  CHECK(next_slots(cron("@yearly"), utc("9895-06-01T00:00:00Z"), TimeZone::utc(), 20).size() < 20);
}

TEST_CASE("cron: Berlin's jump forward runs skipped fixed times right after it, once") {
  const std::string from = "2026-03-28T12:00:00+01:00", to = "2026-03-30T12:00:00+02:00";
  CHECK(slots("30 2 * * *", kBerlin, from, to) == "03-29T03:00:00+02:00 03-30T02:30:00+02:00");
  CHECK(slots("0 2 * * *", kBerlin, from, to) == "03-29T03:00:00+02:00 03-30T02:00:00+02:00");
  CHECK(slots("0,30 2 * * *", kBerlin, from, to) == "03-29T03:00:00+02:00 03-30T02:00:00+02:00 03-30T02:30:00+02:00");
  CHECK(slots("0 2,3 * * *", kBerlin, from, to) == "03-29T03:00:00+02:00 03-30T02:00:00+02:00 03-30T03:00:00+02:00");
  CHECK(slots("30 1 * * *", kBerlin, from, to) == "03-29T01:30:00+01:00 03-30T01:30:00+02:00");
  CHECK(slots("59 2 29 3 *", kBerlin, from, to) == "03-29T03:00:00+02:00");
  CHECK(slots("* 30 2 * * *", kBerlin, from, "2026-03-29T12:00:00+02:00") == "03-29T03:00:00+02:00");
}

TEST_CASE("cron: asked in the second before a jump forward, the skipped time is still found") {
  CHECK(slots("30 2 29 3 *", kBerlin, "2026-03-29T00:59:59Z", "2026-03-29T12:00:00Z") == "03-29T03:00:00+02:00");
  CHECK(slots("30 2 29 3 *", kBerlin, "2026-03-29T01:00:00Z", "2026-03-29T12:00:00Z").empty());
}

TEST_CASE("cron: wildcard hours and minutes follow real time over Berlin's jump forward") {
  const std::string from = "2026-03-29T01:15:00+01:00";
  CHECK(slots("*/30 * * * *", kBerlin, from, "2026-03-29T04:00:00+02:00") ==
        "03-29T01:30:00+01:00 03-29T03:00:00+02:00 03-29T03:30:00+02:00 03-29T04:00:00+02:00");
  CHECK(slots("30 * * * *", kBerlin, from, "2026-03-29T04:00:00+02:00") == "03-29T01:30:00+01:00 03-29T03:30:00+02:00");
  CHECK(slots("*/30 2 * * *", kBerlin, from, "2026-03-30T02:15:00+02:00") == "03-30T02:00:00+02:00");
  CHECK(slots("30 */2 * * *", kBerlin, from, "2026-03-29T05:00:00+02:00") == "03-29T04:30:00+02:00");
}

TEST_CASE("cron: Berlin's jump back runs a repeated fixed time once, the first time") {
  const std::string from = "2026-10-24T12:00:00+02:00", to = "2026-10-26T12:00:00+01:00";
  CHECK(slots("30 2 * * *", kBerlin, from, to) == "10-25T02:30:00+02:00 10-26T02:30:00+01:00");
  CHECK(slots("0 2 * * *", kBerlin, from, to) == "10-25T02:00:00+02:00 10-26T02:00:00+01:00");
  CHECK(slots("0 3 * * *", kBerlin, from, to) == "10-25T03:00:00+01:00 10-26T03:00:00+01:00");
  // Asked in the middle of the repeated hour.
  CHECK(slots("30 2 * * *", kBerlin, "2026-10-25T01:15:00Z", to) == "10-26T02:30:00+01:00");
  CHECK(slots("30 2 * * *", kBerlin, "2026-10-25T00:59:59Z", to) == "10-26T02:30:00+01:00");
  CHECK(slots("0,30 2,3 25 10 *", kBerlin, from, to) ==
        "10-25T02:00:00+02:00 10-25T02:30:00+02:00 10-25T03:00:00+01:00 10-25T03:30:00+01:00");
}

TEST_CASE("cron: wildcard hours and minutes run through Berlin's repeated hour again") {
  CHECK(slots("*/30 * * * *", kBerlin, "2026-10-25T01:45:00+02:00", "2026-10-25T03:00:00+01:00") ==
        "10-25T02:00:00+02:00 10-25T02:30:00+02:00 10-25T02:00:00+01:00 10-25T02:30:00+01:00 10-25T03:00:00+01:00");
  CHECK(slots("*/30 2 * * *", kBerlin, "2026-10-25T01:45:00+02:00", "2026-10-25T12:00:00+01:00") ==
        "10-25T02:00:00+02:00 10-25T02:30:00+02:00 10-25T02:00:00+01:00 10-25T02:30:00+01:00");
  CHECK(slots("30 * * * *", kBerlin, "2026-10-25T01:45:00+02:00", "2026-10-25T03:45:00+01:00") ==
        "10-25T02:30:00+02:00 10-25T02:30:00+01:00 10-25T03:30:00+01:00");
}

TEST_CASE("cron: New York's jumps") {
  CHECK(slots("30 2 * * *", kNewYork, "2026-03-07T12:00:00-05:00", "2026-03-09T12:00:00-04:00") ==
        "03-08T03:00:00-04:00 03-09T02:30:00-04:00");
  CHECK(slots("30 1 * * *", kNewYork, "2026-10-31T12:00:00-04:00", "2026-11-02T12:00:00-05:00") ==
        "11-01T01:30:00-04:00 11-02T01:30:00-05:00");
  CHECK(slots("*/30 1 * * *", kNewYork, "2026-11-01T00:30:00-04:00", "2026-11-01T12:00:00-05:00") ==
        "11-01T01:00:00-04:00 11-01T01:30:00-04:00 11-01T01:00:00-05:00 11-01T01:30:00-05:00");
}

TEST_CASE("cron: Lord Howe's half hour") {
  // Forward on 4 October 2026: 02:00 -> 02:30. Back on 5 April: 02:00 -> 01:30.
  CHECK(slots("15 2 * * *", kLordHowe, "2026-10-03T12:00:00+10:30", "2026-10-05T12:00:00+11:00") ==
        "10-04T02:30:00+11:00 10-05T02:15:00+11:00");
  CHECK(slots("*/15 * * * *", kLordHowe, "2026-10-04T01:40:00+10:30", "2026-10-04T02:50:00+11:00") ==
        "10-04T01:45:00+10:30 10-04T02:30:00+11:00 10-04T02:45:00+11:00");
  CHECK(slots("45 1 * * *", kLordHowe, "2026-04-04T12:00:00+11:00", "2026-04-06T12:00:00+10:30") ==
        "04-05T01:45:00+11:00 04-06T01:45:00+10:30");
  CHECK(slots("*/15 * * * *", kLordHowe, "2026-04-05T01:20:00+11:00", "2026-04-05T02:00:00+10:30") ==
        "04-05T01:30:00+11:00 04-05T01:45:00+11:00 04-05T01:30:00+10:30 04-05T01:45:00+10:30 04-05T02:00:00+10:30");
}

TEST_CASE("cron: a change of three hours or more is followed, not made good") {
  const char* const leap = "AAA0BBB-4,M3.5.0/0,M10.5.0/4";  // four hours, both ways, at midnight standard time
  CHECK(slots("30 2 * * *", leap, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z") == "03-30T02:30:00+04:00");
  CHECK(slots("30 2 * * *", leap, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z") == "10-25T02:30:00+04:00 10-25T02:30:00+00:00");
}

TEST_CASE("cron: summer time in 2060") {
  CHECK(slots("30 2 28 3 *", kBerlin, "2060-01-01T00:00:00Z", "2060-12-31T00:00:00Z") == "03-28T03:00:00+02:00");
  CHECK(slots("0 9 1 7 *", kBerlin, "2060-01-01T00:00:00Z", "2060-12-31T00:00:00Z") == "07-01T09:00:00+02:00");
}

TEST_CASE("cron: errors name the field, the column and the right spelling") {
  struct Row {
    const char* expression;
    const char* where;  // how the message begins
    const char* cure;   // what the cure holds
  };
  const Row rows[] = {
      {"5/15 * * * *", "minute (column 1): a step needs a range", "write 5-59/15"},
      {"0 9/25 * * *", "hour (column 3): a step needs", "write 9"},
      {"0 0 * * mon/2", "day of week (column 9): a step needs", "write 1-7/2"},
      {"*/90 * * * *", "minute (column 2): \"*/90\" means only 0", "write 0 if that is meant"},
      {"*/60 * * * *", "minute (column 2): \"*/60\" means only 0", "write 0"},
      {"0 */24 * * *", "hour (column 4): \"*/24\" means only 0", "write 0"},
      {"0 10-12/5 * * *", "hour (column 8): \"10-12/5\" means only 10", "write 10"},
      {"*/0 * * * *", "minute (column 2): a step of 0", "write *"},
      {"*/99999999999999999999 * * * *", "minute (column 2)", "write 0"},
      {"*/ * * * *", "minute (column 3): expected a step", ""},
      {"*/x * * * *", "minute (column 3): expected a step", ""},
      {"0 22-2 * * *", "hour (column 3): the range \"22-2\" ends before it begins", "write 22-23,0-2"},
      {"0 22-0 * * *", "hour (column 3)", "write 22-23,0"},
      {"0 20-2/2 * * *", "hour (column 3)", "write 20,22,0,2"},
      {"0 0 * 11-2 *", "month (column 7)", "write 11-12,1-2"},
      {"0 0 * * fri-mon", "day of week (column 9)", "write 5-6,0-1"},
      {"0 0 * * sat-sun", "day of week (column 9)", "write 6-7"},
      {"0 0 * * 7-2", "day of week (column 9)", "write 0-2"},
      {"0 0 30 2 *", "day of month (column 5): none of the months has such a day", "February has 29"},
      {"0 0 31 2,4,6,9,11 *", "day of month (column 5)", "30"},
      {"0 0 30 2 */2", "day of month (column 5)", ""},
      {"60 * * * *", "minute (column 1): 60 is not between 0 and 59", "write 0"},
      {"0 24 * * *", "hour (column 3): 24 is not between 0 and 23", "hour 0"},
      {"0 0 0 * *", "day of month (column 5): 0 is not between 1 and 31", ""},
      {"0 0 32 * *", "day of month (column 5)", ""},
      {"0 0 * 13 *", "month (column 7)", ""},
      {"0 0 * * 8", "day of week (column 9): 8 is not between 0 and 7", ""},
      {"60 0 0 * * *", "second (column 1)", ""},
      {"0 0 * * monday", "day of week (column 9): \"monday\" is no day of week", "three letters: mon"},
      {"0 0 * mon *", "month (column 7): \"mon\" is no month", "last field"},
      {"0 0 * * jan", "day of week (column 9)", "month field"},
      {"0 0 * * xyz", "day of week (column 9)", "sun to sat"},
      {"0 0 mon * *", "day of month (column 5)", "last field"},
      {"1,,2 * * * *", "minute (column 3): an element of the list is missing", ""},
      {"1, * * * *", "minute (column 3)", ""},
      {"1-2-3 * * * *", "minute (column 4): unexpected \"-\"", ""},
      {"1- * * * *", "minute (column 3): expected a value at the end", ""},
      {"-1 * * * *", "minute (column 1): expected a value", ""},
      {"** * * * *", "minute (column 2): unexpected \"*\"", ""},
      {"*-5 * * * *", "minute (column 2): unexpected \"-\"", ""},
      {"1;2 * * * *", "minute (column 2): unexpected \";\"", ""},
      {"  0 0 L * *", "day of month (column 7): L (the last day", "28-31"},
      {"0 0 LW * *", "day of month (column 5): L", ""},
      {"0 0 15W * *", "day of month (column 7): W (the nearest weekday", ""},
      {"0 0 * * 5L", "day of week (column 10): L", ""},
      {"0 0 * * 5#3", "day of week (column 10): # (the n-th weekday", ""},
      {"0 0 * * fri#3", "day of week (column 12): #", ""},
      {"0 0 ? * 5", "day of month (column 5): ? (no specific value", "write *"},
      {"H * * * *", "minute (column 1): H (a hashed value", "jitter"},
      {"H(0-29)/10 * * * *", "minute (column 1): H", "jitter"},
      {"", "the cron expression is empty", "minute hour"},
      {" \t ", "the cron expression is empty", "minute hour"},
      {"* * * *", "the cron expression has 4 fields instead of 5 or 6", "minute hour"},
      {"daily", "the cron expression has 1 field instead", ""},
      {"0 0 0 * * * 2026", "the cron expression has 7 fields", "the year"},
      {"0 0 * * * /usr/bin/backup --all --now", "the cron expression has 8 fields", "handler"},
      {"CRON_TZ=Europe/Berlin 0 9 * * *", "a time zone in front", "timezone"},
      {"TZ=UTC 0 0 9 * * *", "a time zone in front", "timezone"},
      {"@reboot", "@reboot (column 1) is not supported yet", "hark daemon trigger"},
      {"@every 5m", "@every (column 1) is not supported yet", "write */5 * * * *"},
      {"@every 90s", "@every (column 1) is not supported yet", "*/N"},
      {"@every 1h", "@every", "write 0 * * * *"},
      {"@every 30s", "@every", "write */30 * * * * *"},
      {"@every 1m", "@every", "write * * * * *"},
      {"@every 6h", "@every", "write 0 */6 * * *"},
      {"@every 1d", "@every", "write 0 0 * * *"},
      {"@every", "@every", "*/N"},
      {"@fortnightly", "\"@fortnightly\" (column 1) is no name", "@weekly"},
      {"@daily 5", "\"@daily 5\" (column 1)", "@daily"},
      {"0 9 * * 1\xE2\x80\x93"
       "5",
       "column 10: a byte that no cron expression has (0xE2)", "hyphen"},
      {"0 9 * *\n*", "column 8: a byte", ""},
  };
  for (const auto& row : rows) {
    const auto parsed = Cron::parse(row.expression);
    INFO(row.expression);
    REQUIRE_FALSE(parsed.ok());
    INFO(parsed.error().text());
    CHECK(parsed.error().message.starts_with(row.where));
    CHECK(parsed.error().cure.find(row.cure) != std::string::npos);
  }
}

TEST_CASE("cron: the spelling that an error proposes is accepted") {
  for (const char* expression :
       {"5/15 * * * *", "0 9/25 * * *", "0 0 * * mon/2", "*/90 * * * *", "0 22-2 * * *", "0 20-2/2 * * *", "0 0 * * fri-mon",
        "0 0 * * sat-sun", "0 0 * * 7-2", "*/0 * * * *", "0 0 ? * *", "0 0 * * fri-mon/2"}) {
    const auto refused = Cron::parse(expression);
    INFO(expression);
    REQUIRE_FALSE(refused.ok());
    const auto& error = refused.error();
    REQUIRE(error.cure.starts_with("write "));
    const auto spelling = error.cure.substr(6, error.cure.find(' ', 6) - 6);
    std::string fields = expression;
    const auto begin = fields.find_first_not_of("0* ") == std::string::npos || fields[0] == '*'
                           ? 0
                           : fields.rfind(' ', fields.find_first_of("/-?")) + 1;
    const auto end = std::min(fields.find(' ', begin), fields.size());
    fields.replace(begin, end - begin, spelling);
    INFO(fields);
    CHECK(Cron::parse(fields).ok());
  }
}

TEST_CASE("cron: an expression of any length is read or refused at once") {
  CHECK_FALSE(Cron::parse(std::string(1'000'000, ',')).ok());
  CHECK_FALSE(Cron::parse(std::string(limits::kCronExpression, '1') + " * * * *").ok());
  std::string all;
  for (int i = 0; i < 60; ++i) all += (i == 0 ? "" : ",") + std::to_string(i);
  CHECK(Cron::parse(all + ' ' + all + " 0,1,2,3 * * *").ok());
}
