#include "core/event_field.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <string>

#include <nlohmann/json.hpp>

#include "core/event_json.h"
#include "core/nearest.h"
#include "core/printable.h"

namespace hark {

namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 18> kAttributes = {
    "id",           "type",        "source",     "subject",  "time", "data",  "context", "topic", "correlation_id",
    "causation_id", "traceparent", "dedupe_key", "priority", "ttl",  "sequence", "hops", "replay_of", "members"};

const Json* keep(Json& scratch, Json value) {
  scratch = std::move(value);
  return &scratch;
}

const Json* keep_text(Json& scratch, const std::string& text) { return text.empty() ? nullptr : keep(scratch, text); }

// One attribute of the envelope but for the data and the context.
const Json* attribute(const Event& event, std::string_view name, Json& scratch) {
  if (name == "id") return keep_text(scratch, event.id);
  if (name == "type") return keep_text(scratch, event.type);
  if (name == "source") return keep_text(scratch, event.source);
  if (name == "subject") return keep_text(scratch, event.subject);
  if (name == "time") return keep(scratch, to_rfc3339(event.time));
  if (name == "topic") return keep_text(scratch, event.topic);
  if (name == "correlation_id") return keep_text(scratch, event.correlation_id);
  if (name == "causation_id") return keep_text(scratch, event.causation_id);
  if (name == "traceparent") return keep_text(scratch, event.traceparent);
  if (name == "dedupe_key") return keep_text(scratch, event.dedupe_key);
  if (name == "hops") return keep(scratch, event.hops);
  if (name == "replay_of") return keep_text(scratch, event.replay_of);
  if (name == "members") return event.members > 0 ? keep(scratch, event.members) : nullptr;
  if (name == "priority") return keep(scratch, event.priority);
  if (name == "ttl") return event.ttl ? keep(scratch, event.ttl->count()) : nullptr;
  if (name == "sequence") return event.sequence != 0 ? keep(scratch, event.sequence) : nullptr;
  return nullptr;
}

const Json* envelope(const Event& event, std::string_view path, Json& scratch) {
  if (path == "data") return &event.data.json();
  if (path.starts_with("data.")) return json_at(event.data.json(), path.substr(5));
  if (path == "context") return event.context ? &event.context->json() : nullptr;
  if (path.starts_with("context.")) return event.context ? json_at(event.context->json(), path.substr(8)) : nullptr;
  return attribute(event, path, scratch);
}

}  // namespace

const Json* event_field(const Event& event, std::string_view field, Json& scratch) {
  if (field == "event") return keep(scratch, to_json(event));
  if (field.starts_with("event.")) return envelope(event, field.substr(6), scratch);
  if (field == "payload") return &event.data.json();
  if (field.starts_with("payload.")) return json_at(event.data.json(), field.substr(8));
  if (const Json* found = envelope(event, field, scratch)) return found;
  return json_at(event.data.json(), field);
}

Status check_event_field(std::string_view field) {
  if (!field.starts_with("event.")) return {};
  const std::string_view path = field.substr(6);
  const std::string_view name = path.substr(0, path.find('.'));
  for (const std::string_view known : kAttributes) {
    if (name != known) continue;
    if (name == path || name == "data" || name == "context") return {};
    return Error{"'" + printable(field, 80) + "': event." + std::string(known) + " is one value, there is nothing inside it", ""};
  }
  std::string cure = "an event's data is payload.*";
  if (const std::string near = nearest(name, {kAttributes.begin(), kAttributes.end()}); !near.empty())
    cure = "did you mean event." + near + "?";
  return Error{"an event has no attribute '" + printable(name, 80) + "'", cure};
}

const Json* json_at(const Json& value, std::string_view dotted_path) {
  const Json* at = &value;
  while (!dotted_path.empty()) {
    const std::size_t dot = dotted_path.find('.');
    const std::string_view key = dotted_path.substr(0, dot);
    if (at->is_object()) {
      const auto found = at->find(key);
      if (found == at->end()) return nullptr;
      at = &*found;
    } else if (at->is_array()) {
      std::size_t index = 0;
      const auto [end, problem] = std::from_chars(key.data(), key.data() + key.size(), index);
      if (problem != std::errc{} || end != key.data() + key.size() || index >= at->size()) return nullptr;
      at = &(*at)[index];
    } else {
      return nullptr;
    }
    if (dot == std::string_view::npos) return at;
    dotted_path.remove_prefix(dot + 1);
  }
  return at;
}

}  // namespace hark
