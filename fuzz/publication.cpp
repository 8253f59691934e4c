// What is published under an address (up to the first line feed) is taken with all its words within their bounds, or refused with a reason.
#include "daemon/publishing.h"

#include "core/event_name.h"
#include "core/limits.h"
#include "fuzz/fuzz.h"

using namespace hark;

void fuzz(std::string_view input) {
  const auto line = std::min(input.find('\n'), input.size());
  const auto type = input.substr(0, line);
  auto read = read_publication(type, std::string(input.substr(std::min(line + 1, input.size()))));
  if (!read) return HOLDS(!read.error().message.empty());
  HOLDS(check_event_word(read->event.type, "type").ok());
  HOLDS(type.empty() || read->event.type == type);
  HOLDS(read->event.topic.empty() || check_topic(read->event.topic).ok());
  HOLDS(!read->event.ttl || (read->event.ttl->count() > 0 && read->event.ttl->count() <= limits::kTtlMost));
  HOLDS(read->event.priority >= -limits::kPriorityMost && read->event.priority <= limits::kPriorityMost);
  HOLDS(Payload::parse(read->event.data.text()).ok());  // what is kept can be read again
  const auto event = published_by("fuzz", std::move(*read));
  HOLDS(event.source == "publishers/fuzz");
}
