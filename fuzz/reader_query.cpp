// A reader's question, as it stands in an address: `/api/events/wait/TYPE?…` up to the first line feed, then the type and the topic of an
// event. What may match without a look at the event is no less than what matches.
#include "core/event_pattern.h"
#include "core/limits.h"
#include "daemon/api_answers.h"
#include "daemon/api_bus.h"
#include "fuzz/fuzz.h"

using namespace hark;

namespace {

std::string_view take_line(std::string_view& input) {
  const auto end = std::min(input.find('\n'), input.size());
  const auto line = input.substr(0, end);
  input.remove_prefix(std::min(end + 1, input.size()));
  return line;
}

}  // namespace

void fuzz(std::string_view input) {
  HttpRequest request;
  auto target = take_line(input);
  const auto query = std::min(target.find('?'), target.size());
  request.path = std::string(target.substr(0, query));
  request.query = std::string(target.substr(std::min(query + 1, target.size())));
  Event event;
  event.type = std::string(take_line(input));
  event.topic = std::string(take_line(input));
  for (const auto* name : {"timeout", "limit", "after"}) {
    if (const auto number = query_number(request, name); !number) HOLDS(!number.error().message.empty());
  }
  auto types = words_of(path_parameter("/api/events/wait/{type}", request.path, "type"));
  if (!types) return HOLDS(!types.error().message.empty());
  HOLDS(types->size() <= limits::kPatternWords);
  const auto pattern = read_pattern(request, std::move(*types));
  if (!pattern) return HOLDS(!pattern.error().message.empty());
  if (pattern->matches(event)) HOLDS(pattern->may_match(event.type, event.topic));
  if (pattern->may_match(event.type, event.topic)) HOLDS(pattern->wants_topic(event.topic));
}
