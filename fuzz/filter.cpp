// A filter that parses evaluates, and its text is the same filter.
#include "core/filter.h"

#include <nlohmann/json.hpp>

#include "core/event.h"
#include "fuzz/fuzz.h"

using namespace hark;

void fuzz(std::string_view input) {
  const auto filter = Filter::parse(input);
  if (!filter) return HOLDS(!filter.error().message.empty());
  Event event;
  event.type = "webhook";
  event.data = Payload(nlohmann::json{{"a", 1}, {"b", {{"c", "x"}}}, {"d", {1, "two", nullptr}}});
  const auto verdict = filter->evaluate(event);
  const auto again = Filter::parse(filter->text());
  HOLDS(again.ok());
  HOLDS(again->evaluate(event).matches == verdict.matches);
}
