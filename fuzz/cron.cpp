// An expression that parses fires, at rising times, and parses again to the same.
#include "core/cron.h"
#include "core/cron_words.h"
#include "fuzz/fuzz.h"

using namespace hark;

void fuzz(std::string_view input) {
  const auto cron = Cron::parse(input);
  if (!cron) {
    HOLDS(!cron.error().message.empty());
    return;
  }
  const auto words = explain(*cron);
  HOLDS(!words.rules.empty());
  for (const auto& [field, text] : words.fields) HOLDS(!field.empty() && (!text.empty() || field.starts_with("day")));
  if (cron->at_boot()) return;
  WallTime at{std::chrono::seconds{1'790'000'000}};
  for (int i = 0; i < 3; ++i) {
    const auto next = cron->next(at, TimeZone::utc());
    HOLDS(next.has_value());
    HOLDS(*next > at);
    at = *next;
  }
  const auto again = Cron::parse(cron->text());
  HOLDS(again.ok());
  HOLDS(again->next(at, TimeZone::utc()) == cron->next(at, TimeZone::utc()));
}
