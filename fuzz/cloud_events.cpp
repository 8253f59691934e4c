// The first byte says how it comes; what is taken has what every CloudEvent has.
#include "sources/cloud_events.h"

#include "core/limits.h"
#include "fuzz/fuzz.h"
#include "fuzz/headers.h"

using namespace hark;

void fuzz(std::string_view input) {
  if (input.empty()) return;
  HttpHeaders headers;
  const auto kind = static_cast<unsigned char>(input.front()) % 3;
  input.remove_prefix(1);
  if (kind == 0) headers.add("Content-Type", "application/cloudevents+json");
  if (kind == 1) headers.add("Content-Type", "application/cloudevents-batch+json");
  if (kind == 2) {
    headers.add("ce-specversion", "1.0");
    take_headers(input, headers);
  }
  HOLDS(is_cloud_event(headers));
  const auto events = read_cloud_events(headers, std::string(input));
  if (!events) return HOLDS(!events.error().message.empty());
  HOLDS(events->size() <= limits::kCloudEvents);
  for (const auto& event : *events) {
    HOLDS(!event.id.empty() && !event.source.empty() && !event.type.empty());
    HOLDS(event.others.is_object());
    (void)event.data.json();
  }
}
