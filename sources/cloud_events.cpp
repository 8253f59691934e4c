#include "sources/cloud_events.h"

#include <algorithm>
#include <utility>

#include "core/base64.h"
#include "core/hex.h"
#include "core/json_keys.h"
#include "core/limits.h"
#include "core/printable.h"
#include "core/time.h"
#include "platform/http.h"

namespace hark {

using nlohmann::json;

namespace {

constexpr std::string_view kStructured = "application/cloudevents+json";
constexpr std::string_view kBatch = "application/cloudevents-batch+json";
constexpr std::string_view kPrefix = "ce-";

bool is_json(std::string_view type) {
  const auto ends_with = [&](std::string_view end) { return type.size() > end.size() && equal_ignoring_case(type.substr(type.size() - end.size()), end); };
  return type.empty() || equal_ignoring_case(type, "application/json") || ends_with("+json") || equal_ignoring_case(type, "text/json");
}

// Section 3.1.1 of the specification: lower-case letters and digits.
bool is_attribute(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

// The HTTP binding, 3.1.3.2: what a header cannot hold is percent-encoded.
std::string decoded(std::string_view value) {
  std::string text;
  for (std::size_t at = 0; at < value.size(); ++at) {
    const bool escape = value[at] == '%' && at + 2 < value.size() && hex_value(value[at + 1]) >= 0 && hex_value(value[at + 2]) >= 0;
    text += escape ? static_cast<char>(hex_value(value[at + 1]) * 16 + hex_value(value[at + 2])) : value[at];
    if (escape) at += 2;
  }
  return text;
}

// Takes the attributes that every event has out of `attributes`; the rest is `others`.
Result<CloudEvent> with_attributes(json attributes) {
  CloudEvent event;
  const auto take = [&](const char* name, std::string& into) {
    const auto found = attributes.find(name);
    if (found == attributes.end() || !found->is_string()) return false;
    into = found->get<std::string>();
    attributes.erase(found);
    return !into.empty();
  };
  std::string version;
  if (!take("specversion", version)) return Error{"it has no specversion", {}};
  if (version != "1.0") return Error{"its specversion is '" + printable(version, limits::kShownValue) + "', wanted 1.0", {}};
  if (!take("id", event.id)) return Error{"it has no id", {}};
  if (!take("source", event.source)) return Error{"it has no source", {}};
  if (!take("type", event.type)) return Error{"it has no type", {}};
  take("subject", event.subject);
  if (const auto time = attributes.find("time"); time != attributes.end() && !(time->is_string() && from_rfc3339(time->get<std::string>()))) {
    return Error{"its time is no RFC 3339 time", {}};
  }
  for (const auto& [name, value] : attributes.items()) {
    if (!is_attribute(name)) return Error{"'" + printable(name, limits::kShownValue) + "' is no attribute's name: lower-case letters and digits", {}};
    if (value.is_structured()) return Error{"its attribute '" + name + "' is no single value", {}};
  }
  event.others = std::move(attributes);
  return event;
}

// The JSON format, 3.1: `data` is JSON, whatever it stands for; `data_base64` are bytes.
Result<CloudEvent> from_json(json object) {
  if (!object.is_object()) return Error{"it is no object", {}};
  const auto take = [&](const char* name) {
    json value = json::value_t::discarded;
    if (const auto found = object.find(name); found != object.end()) {
      value = std::move(*found);
      object.erase(found);
    }
    return value;
  };
  auto data = take("data");
  const auto bytes = take("data_base64");
  if (!data.is_discarded() && !bytes.is_discarded()) return Error{"it has both data and data_base64", {}};
  auto event = with_attributes(std::move(object));
  if (!event) return event;
  if (!data.is_discarded()) event->data = Payload(data);
  if (bytes.is_discarded()) return event;
  const auto content = bytes.is_string() ? from_base64(bytes.get_ref<const std::string&>()) : std::nullopt;
  if (!content) return Error{"its data_base64 is no base64", {}};
  const auto type = event->others.value("datacontenttype", json());
  if (type.is_string() && is_json(type.get_ref<const std::string&>())) {
    auto parsed = Payload::parse(*content);
    if (!parsed) return parsed.error();
    event->data = std::move(*parsed);
  } else if (is_utf8(*content)) {
    event->data = Payload(json(*content));
  } else {
    event->data = Payload(bytes);
    event->others["data_base64"] = true;
  }
  return event;
}

Result<CloudEvent> from_headers(const HttpHeaders& headers, std::string body) {
  auto attributes = json::object();
  for (const auto& [name, value] : headers.entries()) {
    if (name.size() <= kPrefix.size() || !equal_ignoring_case(std::string_view(name).substr(0, kPrefix.size()), kPrefix)) continue;
    std::string attribute = name.substr(kPrefix.size());
    for (char& c : attribute) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (!attributes.emplace(attribute, decoded(value)).second) return Error{"it has two headers ce-" + printable(attribute, limits::kShownValue), {}};
  }
  auto event = with_attributes(std::move(attributes));
  if (!event) return event;
  const auto type = media_type(headers);
  if (!type.empty()) event->others["datacontenttype"] = type;
  if (body.empty()) return event;
  if (is_json(type)) {
    auto data = parse_event_data(std::move(body));
    if (!data) return data.error();
    event->data = std::move(*data);
  } else if (is_utf8(body)) {
    event->data = Payload(json(std::move(body)));
  } else {
    event->data = Payload(json(to_base64(body)));
    event->others["data_base64"] = true;
  }
  return event;
}

}  // namespace

bool is_cloud_event(const HttpHeaders& headers) {
  return is_cloud_event_batch(headers) || equal_ignoring_case(media_type(headers), kStructured) || headers.count("ce-specversion") > 0;
}

bool is_cloud_event_batch(const HttpHeaders& headers) { return equal_ignoring_case(media_type(headers), kBatch); }

Result<std::vector<CloudEvent>> read_cloud_events(const HttpHeaders& headers, std::string body) {
  const bool batch = is_cloud_event_batch(headers);
  if (!batch && !equal_ignoring_case(media_type(headers), kStructured)) {
    auto event = from_headers(headers, std::move(body));
    if (!event) return Error{"CloudEvent: " + event.error().message, {}};
    return std::vector{std::move(*event)};
  }
  auto parsed = parse_json(body, "the CloudEvent");
  if (!parsed) return parsed.error();
  if (!batch) *parsed = json::array({std::move(*parsed)});
  if (!parsed->is_array()) return Error{"a batch of CloudEvents is a list", {}};
  if (parsed->size() > limits::kCloudEvents) return Error{"a batch holds " + std::to_string(parsed->size()) + " CloudEvents, at most " + std::to_string(limits::kCloudEvents), {}};
  std::vector<CloudEvent> events;
  for (auto& each : *parsed) {
    auto event = from_json(std::move(each));
    if (!event) return Error{"CloudEvent" + (batch ? " " + std::to_string(events.size() + 1) : std::string()) + ": " + event.error().message, {}};
    events.push_back(std::move(*event));
  }
  return events;
}

}  // namespace hark
