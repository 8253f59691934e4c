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
std::string slots(const std::string& expression, const char* rule, const std::string& from, const std::string& to, DstRule dst = DstRule::cron) {
  const auto place = zone(rule);
  auto parsed = cron(expression);
  parsed.set_dst(dst);
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
      {"*/90 * * * *", "minute (column 2): \"*/90\" means only 0", "write 0 if that is meant, or @every 90m"},
      {"*/60 * * * *", "minute (column 2): \"*/60\" means only 0", "write 0"},
      {"0 */24 * * *", "hour (column 4): \"*/24\" means only 0", "write 0 if that is meant, or @every 24h"},
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
      {"0 0 * * L", "day of week (column 9): L alone is no weekday", "FRIL"},
      {"0 0 * * 5L", "day of week (column 10): a weekday before L", "FRIL"},
      {"0 0 * * friday#2", "day of week (column 15): #", "MON#2"},
      {"0 0 * * 5#3", "day of week (column 10): # stands behind a weekday's name", "a weekday's name"},
      {"0 0 * * fri#6", "day of week (column 12): a month has the first to the fifth", "FRIL"},
      {"0 0 * * fri#0", "day of week (column 12)", ""},
      {"0 0 * * fri#", "day of week (column 12)", ""},
      {"0 0 fri#2 * *", "day of month (column 8): #", "last field"},
      {"0 0 L-0 * *", "day of month (column 7): expected how many days", ""},
      {"0 0 L-31 * *", "day of month (column 7)", ""},
      {"0 0 L-x * *", "day of month (column 7)", ""},
      {"0 0 1-L * *", "day of month (column 7): L is the last day", "L-3"},
      {"0 0 32W * *", "day of month (column 5): expected a day of the month", "15W"},
      {"0 0 W * *", "day of month (column 5): W is", "15W"},
      {"0 0 1-5W * *", "day of month (column 5): expected a day", "15W"},
      {"0 0 * L *", "month (column 7): L is the last day of a month", "LW"},
      {"0 0 * * 15W", "day of week (column 11): W is", "15W"},
      {"? 0 * * *", "minute (column 1): ? stands for the whole of a day field", "*"},
      {"0 0 1,? * *", "day of month (column 7): ?", ""},
      {"0 0 31W 2 *", "day of month (column 5): no day of these months", ""},
      {"0 0 */30 * MON#2", "day of month (column 5): no day of these months", ""},
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
      {"@reboot now", "\"@reboot now\" (column 1)", "@reboot"},
      {"@every", "@every (column 1) wants one duration", "@every 90s"},
      {"@every 5", "@every (column 1) wants one duration", ""},
      {"@every 5m 3s", "@every (column 1) wants one duration", ""},
      {"@every 500ms", "@every (column 1) wants whole seconds", ""},
      {"@every 0s", "@every (column 1) wants whole seconds", ""},
      {"@every 400d", "@every (column 1) wants whole seconds", ""},
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
        "0 0 * * sat-sun", "0 0 * * 7-2", "*/0 * * * *", "0 0 * * fri-mon/2"}) {
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

namespace {

// The days of these years on which an expression for midnight fires, as "2026-11-30".
std::vector<std::string> days_of(const std::string& expression, int from, int to) {
  const auto cron = Cron::parse(expression);
  INFO(expression);
  REQUIRE_MESSAGE(cron.ok(), (cron.ok() ? "" : cron.error().text()));
  std::vector<std::string> days;
  WallTime at = std::chrono::sys_days{std::chrono::year{from} / 1 / 1} - std::chrono::seconds{1};
  const WallTime end = std::chrono::sys_days{std::chrono::year{to} / 1 / 1};
  for (auto slot = cron->next(at, TimeZone::utc()); slot && *slot < end; slot = cron->next(*slot, TimeZone::utc())) days.push_back(to_rfc3339(*slot).substr(0, 10));
  return days;
}

// The same, by what `wanted` says of a date and the length of its month.
template <class Wanted>
std::vector<std::string> days_where(int from, int to, Wanted wanted) {
  std::vector<std::string> days;
  for (auto day = std::chrono::sys_days{std::chrono::year{from} / 1 / 1}; day < std::chrono::sys_days{std::chrono::year{to} / 1 / 1}; day += std::chrono::days{1}) {
    const year_month_day date{day};
    const auto length = static_cast<int>(static_cast<unsigned>(std::chrono::year_month_day_last{date.year(), std::chrono::month_day_last{date.month()}}.day()));
    if (wanted(static_cast<int>(static_cast<unsigned>(date.day())), static_cast<int>(std::chrono::weekday{day}.c_encoding()), length)) days.push_back(to_rfc3339(WallTime{day}).substr(0, 10));
  }
  return days;
}

// By trying outwards, as Quartz describes it. `week`: the day of the week of `day`.
bool is_nearest_workday(int day, int week, int length, int wanted) {
  if (wanted > length || week == 0 || week == 6) return false;
  for (int distance = 0; distance <= 2; ++distance) {
    for (const int candidate : {wanted - distance, wanted + distance}) {
      const int its_week = ((week + candidate - day) % 7 + 7) % 7;
      if (candidate >= 1 && candidate <= length && its_week != 0 && its_week != 6) return candidate == day;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("cron: days that depend on their month are the days that their description says") {
  CHECK(days_of("0 0 L * *", 2000, 2009) == days_where(2000, 2009, [](int day, int, int length) { return day == length; }));
  for (int before = 1; before <= 30; ++before) {
    CHECK(days_of("0 0 L-" + std::to_string(before) + " * *", 2000, 2009) == days_where(2000, 2009, [&](int day, int, int length) { return day == length - before; }));
  }
  for (int wanted = 1; wanted <= 31; ++wanted) {
    CHECK(days_of("0 0 " + std::to_string(wanted) + "W * *", 2000, 2029) == days_where(2000, 2029, [&](int day, int week, int length) { return is_nearest_workday(day, week, length, wanted); }));
  }
  CHECK(days_of("0 0 LW * *", 2000, 2029) == days_where(2000, 2029, [](int day, int week, int length) { return is_nearest_workday(day, week, length, length); }));
  const std::vector<std::string> names = {"SUN", "mon", "Tue", "WED", "THU", "FRI", "SAT"};
  for (int week = 0; week < 7; ++week) {
    for (int nth = 1; nth <= 5; ++nth) {
      CHECK(days_of("0 0 * * " + names[std::size_t(week)] + "#" + std::to_string(nth), 2000, 2029) == days_where(2000, 2029, [&](int day, int its, int) { return its == week && (day - 1) / 7 == nth - 1; }));
    }
    CHECK(days_of("0 0 * * " + names[std::size_t(week)] + "L", 2000, 2029) == days_where(2000, 2029, [&](int day, int its, int length) { return its == week && day > length - 7; }));
  }
}

TEST_CASE("cron: days of both kinds, in lists, and what ? is") {
  CHECK(days_of("0 0 1,15W,L 1 *", 2026, 2027) == std::vector<std::string>{"2026-01-01", "2026-01-15", "2026-01-31"});
  CHECK(days_of("0 0 ? 2 MON#2,FRIL,WED#1", 2026, 2027) == std::vector<std::string>{"2026-02-04", "2026-02-09", "2026-02-27"});
  CHECK(days_of("0 0 1 2 MON#2", 2026, 2027) == std::vector<std::string>{"2026-02-01", "2026-02-09"});  // either, by crontab(5)
  CHECK(days_of("0 0 */9 2 ?", 2026, 2027) == days_of("0 0 */9 2 *", 2026, 2027));
  CHECK(days_of("0 0 */2 2 TUEL", 2026, 2027).empty());  // the 24th is even ...
  CHECK(days_of("0 0 */2 2 TUEL", 2027, 2028) == std::vector<std::string>{"2027-02-23"});
  CHECK(days_of("0 0 29W 2 *", 2026, 2033) == std::vector<std::string>{"2028-02-29", "2032-02-27"});  // a Sunday at the month's end
  CHECK(days_of("0 0 ? 2 MON#5", 2001, 2040) == std::vector<std::string>{"2016-02-29"});
}

TEST_CASE("cron: @every goes by multiples since 1970, whenever it was first asked") {
  const auto cron = Cron::parse("@every 90s");
  REQUIRE(cron.ok());
  const WallTime zero{};
  CHECK(cron->next(zero, TimeZone::utc()) == zero + 90s);
  CHECK(cron->next(zero + 89s + 999ms, TimeZone::utc()) == zero + 90s);
  CHECK(cron->next(zero + 90s, TimeZone::utc()) == zero + 180s);
  CHECK(cron->next(zero - 1s, TimeZone::utc()) == zero);
  CHECK(cron->next(zero - 90s, TimeZone::utc()) == zero);
  CHECK(cron->next(zero - 91s, TimeZone::utc()) == zero - 90s);
  CHECK(Cron::parse(" @Every 1h30m ")->next(zero, TimeZone::utc()) == zero + 90min);
}

TEST_CASE("cron: what daylight saving skips or repeats, by the rule that was chosen") {
  struct Row {
    DstRule rule;
    const char* forward;  // of 2:30 in Berlin
    const char* back;
  };
  for (const auto& row : {Row{DstRule::cron, "03-28T02:30:00+01:00 03-29T03:00:00+02:00 03-30T02:30:00+02:00", "10-25T02:30:00+02:00 10-26T02:30:00+01:00"},
                          Row{DstRule::skip, "03-28T02:30:00+01:00 03-30T02:30:00+02:00", "10-25T02:30:00+02:00 10-26T02:30:00+01:00"},
                          Row{DstRule::all, "03-28T02:30:00+01:00 03-29T03:00:00+02:00 03-30T02:30:00+02:00",
                              "10-25T02:30:00+02:00 10-25T02:30:00+01:00 10-26T02:30:00+01:00"}}) {
    CAPTURE(int(row.rule));
    CHECK(slots("30 2 * * *", kBerlin, "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z", row.rule) == row.forward);
    CHECK(slots("30 2 * * *", kBerlin, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", row.rule) == row.back);
    // A wildcard follows the clock in any case.
    CHECK(slots("30 */2 * * *", kBerlin, "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z", row.rule) == "03-29T04:30:00+02:00");
  }
}

TEST_CASE("cron: @reboot is no time") {
  const auto cron = Cron::parse(" @Reboot ");
  REQUIRE(cron.ok());
  CHECK(cron->at_boot());
  CHECK_FALSE(Cron::parse("@daily")->at_boot());
  CHECK_FALSE(cron->next(WallTime{}, TimeZone::utc()));
}
