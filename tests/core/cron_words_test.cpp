#include "core/cron_words.h"

#include <doctest/doctest.h>

using namespace hark;

namespace {

// "field: text; ...", but for what holds of every one.
std::string words(std::string_view expression) {
  const auto cron = Cron::parse(expression);
  REQUIRE_MESSAGE(cron.ok(), cron.error().text());
  std::string all;
  for (const auto& [field, text] : explain(*cron).fields) {
    if (text != "every day" && text != "every month" && text != "every hour" && text != "every minute") all += field + ": " + text + "; ";
  }
  return all;
}

std::string rule(std::string_view expression, std::size_t which) { return explain(*Cron::parse(expression)).rules.at(which); }

}  // namespace

TEST_CASE("cron in words: each field") {
  CHECK(words("0 9 * * MON") == "second: 0; minute: 0; hour: 9; day of week: Monday; ");
  CHECK(words("*/15 9-17 * JAN,MAR-MAY,JUL,AUG 1-5") ==
        "second: 0; minute: 0, 15, 30, 45; hour: 9 to 17; month: January, March to May, July, August; day of week: Monday to Friday; ");
  CHECK(words("30 * * * * *") == "second: 30; ");
  CHECK(words("0 0 L,L-3,15W,LW,1 * *") ==
        "second: 0; minute: 0; hour: 0; day of month: 1, the last, 3 days before the last, the weekday nearest to the 15th, the last weekday; ");
  CHECK(words("0 0 ? * MON#2,FRIL,SUN") == "second: 0; minute: 0; hour: 0; day of week: Sunday, the 2nd Monday, the last Friday; ");
  CHECK(words("@daily") == "second: 0; minute: 0; hour: 0; ");
}

TEST_CASE("cron in words: how the fields go together") {
  CHECK(rule("0 9 * * *", 0) == "on every day");
  CHECK(rule("0 9 1 * MON", 0).find("either") != std::string::npos);
  CHECK(rule("0 9 */2 * MON", 0).find("both") != std::string::npos);
  CHECK(rule("0 9 * * MON", 0).find("both") != std::string::npos);
  CHECK(rule("0 * * * *", 1).find("follows the clock") != std::string::npos);
  CHECK(rule("0 9 * * *", 1).find("right after the gap") != std::string::npos);
  auto cron = *Cron::parse("0 9 * * *");
  cron.set_dst(DstRule::skip);
  CHECK(explain(cron).rules.at(1).find("does not run") != std::string::npos);
  cron.set_dst(DstRule::all);
  CHECK(explain(cron).rules.at(1).find("twice") != std::string::npos);
}

TEST_CASE("cron in words: what has no fields") {
  CHECK(explain(*Cron::parse("@every 90s")).fields.empty());
  CHECK(rule("@every 90s", 0).find("every 1m30s") != std::string::npos);
  CHECK(rule("@reboot", 0).find("each start of the machine") != std::string::npos);
}
