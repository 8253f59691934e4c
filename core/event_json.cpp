#include "core/event_json.h"

#include <nlohmann/json.hpp>

namespace hark {

using nlohmann::json;

namespace {

// The envelope in the order people read it; empty attributes are left out.
nlohmann::ordered_json envelope(const Event& event) {
  nlohmann::ordered_json object;
  object["specversion"] = "1.0";
  object["id"] = event.id;
  object["type"] = event.type;
  object["source"] = event.source;
  if (!event.subject.empty()) object["subject"] = event.subject;
  object["time"] = to_rfc3339(event.time);
  if (event.sequence != 0) object["sequence"] = event.sequence;
  if (!event.topic.empty()) object["topic"] = event.topic;
  if (!event.correlation_id.empty()) object["correlation_id"] = event.correlation_id;
  if (!event.causation_id.empty()) object["causation_id"] = event.causation_id;
  if (!event.traceparent.empty()) object["traceparent"] = event.traceparent;
  if (event.hops > 0) object["hops"] = event.hops;
  if (!event.replay_of.empty()) object["replay_of"] = event.replay_of;
  if (event.members > 0) object["members"] = event.members;
  if (!event.dedupe_key.empty()) object["dedupe_key"] = event.dedupe_key;
  if (event.priority != 0) object["priority"] = event.priority;
  if (event.ttl) object["ttl"] = event.ttl->count();
  if (event.context) object["context"] = event.context->json();
  return object;
}

}  // namespace

json to_json(const Event& event) {
  json object = envelope(event);
  object["data"] = event.data.json();
  return object;
}

std::string to_json_text(const Event& event) {
  auto text = envelope(event).dump(-1, ' ', false, json::error_handler_t::replace);
  text.pop_back();  // the closing brace comes after the data
  text += ",\"data\":";
  text += event.data.text();
  text += '}';
  return text;
}

namespace {

// Reads members of an object, keeping the first thing that is wrong.
class Members {
 public:
  explicit Members(const json& object) : object_(object) {}

  std::string text(const char* name, bool required = false) {
    const auto* value = find(name, required);
    if (value == nullptr) return {};
    if (!value->is_string()) return wrong(name, "a string"), std::string{};
    return value->get<std::string>();
  }
  std::optional<std::int64_t> integer(const char* name) {
    const auto* value = find(name, false);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number_integer()) return wrong(name, "a whole number"), std::nullopt;
    return value->get<std::int64_t>();
  }
  void wrong(const char* name, const char* wanted) {
    if (error.empty()) error = std::string("event: `") + name + "` must be " + wanted;
  }
  std::string error;

 private:
  const json* find(const char* name, bool required) {
    const auto found = object_.find(name);
    if (found != object_.end()) return &*found;
    if (required) wrong(name, "there");
    return nullptr;
  }
  const json& object_;
};

}  // namespace

Result<Event> event_from_json(const json& object) {
  if (!object.is_object()) return Error{"event: must be a JSON object", {}};
  Members members(object);
  Event event;
  event.id = members.text("id");
  event.type = members.text("type", true);
  event.source = members.text("source");
  event.subject = members.text("subject");
  if (const auto time = members.text("time"); !time.empty()) {
    if (const auto parsed = from_rfc3339(time)) {
      event.time = *parsed;
    } else {
      members.wrong("time", "an RFC 3339 time");
    }
  }
  event.sequence = std::uint64_t(members.integer("sequence").value_or(0));
  event.topic = members.text("topic");
  event.correlation_id = members.text("correlation_id");
  event.causation_id = members.text("causation_id");
  event.traceparent = members.text("traceparent");
  event.dedupe_key = members.text("dedupe_key");
  event.hops = int(members.integer("hops").value_or(0));
  event.replay_of = members.text("replay_of");
  event.members = int(members.integer("members").value_or(0));
  event.priority = int(members.integer("priority").value_or(0));
  if (const auto ttl = members.integer("ttl")) event.ttl = std::chrono::seconds(*ttl);
  if (!members.error.empty()) return Error{std::move(members.error), {}};
  if (const auto context = object.find("context"); context != object.end()) {
    if (!context->is_object()) return Error{"event: `context` must be an object", {}};
    event.context = Payload(*context);
  }
  if (const auto data = object.find("data"); data != object.end()) event.data = Payload(*data);
  return event;
}

}  // namespace hark
