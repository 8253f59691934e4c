#include "reporters/otlp.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/percent.h"
#include "core/printable.h"
#include "core/version.h"

namespace hark {

using nlohmann::json;

namespace {

// "key=value,key=value", both percent-encoded (W3C Baggage, as the specification has it). What is none is left out.
std::vector<std::pair<std::string, std::string>> pairs_of(std::string_view list) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto trimmed = [](std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
  };
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto entry = list.substr(0, comma);
    const auto equals = entry.find('=');
    if (equals != entry.npos && !trimmed(entry.substr(0, equals)).empty()) {
      pairs.emplace_back(trimmed(entry.substr(0, equals)), percent_decoded(trimmed(entry.substr(equals + 1))));
    }
    list = comma == list.npos ? std::string_view{} : list.substr(comma + 1);
  }
  return pairs;
}

json attribute(std::string_view key, json value) { return {{"key", key}, {"value", std::move(value)}}; }

// 64-bit numbers are texts in Protobuf's JSON, and times are counted in nanoseconds.
std::string nanoseconds(WallTime time) { return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count()); }

json to_json(const Span& span) {
  json object = {{"traceId", span.trace_id}, {"spanId", span.id}, {"name", span.name}, {"kind", int(span.kind)}, {"startTimeUnixNano", nanoseconds(span.begin)}, {"endTimeUnixNano", nanoseconds(span.end)}};
  if (!span.parent.empty()) object["parentSpanId"] = span.parent;
  auto attributes = json::array();
  for (const auto& [key, value] : span.texts) {
    if (!value.empty()) attributes.push_back(attribute(key, {{"stringValue", value}}));
  }
  for (const auto& [key, value] : span.numbers) attributes.push_back(attribute(key, {{"intValue", std::to_string(value)}}));
  object["attributes"] = std::move(attributes);
  if (span.error) object["status"] = {{"code", 2}, {"message", *span.error}};
  return object;
}

}  // namespace

TraceWish trace_wish(const std::function<std::optional<std::string>(const char*)>& variable) {
  // An empty one is as good as none: OpenTelemetry's own rule.
  const auto get = [&](const char* name) { return variable(name).value_or(""); };
  const auto either = [&](const char* of_traces, const char* of_all) {
    auto value = get(of_traces);
    return value.empty() ? get(of_all) : value;
  };
  TraceWish wish;
  if (equal_ignoring_case(get("OTEL_SDK_DISABLED"), "true") || get("OTEL_TRACES_EXPORTER") == "none") return wish;
  auto url = either("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT");
  if (url.empty()) return wish;
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    wish.warnings.push_back("no traces are sent: OTEL_EXPORTER_OTLP_ENDPOINT is '" + printable(url, limits::kShownValue) + "', expected http:// or https:// and a host");
    return wish;
  }
  if (get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").empty()) url += url.ends_with('/') ? "v1/traces" : "/v1/traces";
  if (const auto protocol = either("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); !protocol.empty() && protocol != "http/json") {
    wish.warnings.push_back("OTEL_EXPORTER_OTLP_PROTOCOL is '" + printable(protocol, limits::kShownValue) + "', and hark speaks http/json: name the collector's HTTP port, which is 4318 as a rule");
  }
  TraceOptions options;
  options.url = std::move(url);
  for (auto& [name, value] : pairs_of(either("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"))) options.headers.add(std::move(name), std::move(value));
  if (const auto text = either("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"); !text.empty()) {
    int milliseconds = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
    if (failure == std::errc{} && end == text.data() + text.size() && milliseconds > 0) {
      options.timeout = std::chrono::milliseconds(milliseconds);
    } else {
      wish.warnings.push_back("OTEL_EXPORTER_OTLP_TIMEOUT is '" + printable(text, limits::kShownValue) + "', expected milliseconds: 10000 are taken");
    }
  }
  options.resource = pairs_of(get("OTEL_RESOURCE_ATTRIBUTES"));
  const auto set = [&](const char* name, const std::string& value, bool anew) {
    const auto there = std::find_if(options.resource.begin(), options.resource.end(), [&](const auto& each) { return each.first == name; });
    if (there == options.resource.end()) {
      options.resource.emplace_back(name, value);
    } else if (anew) {
      there->second = value;
    }
  };
  const auto service = get("OTEL_SERVICE_NAME");
  set("service.name", service.empty() ? "hark" : service, !service.empty());
  set("service.version", version(), false);
  wish.options = std::move(options);
  return wish;
}

std::string otlp_json(const TraceOptions& options, const std::vector<Span>& spans) {
  auto resource = json::array(), list = json::array();
  for (const auto& [key, value] : options.resource) resource.push_back(attribute(key, {{"stringValue", value}}));
  for (const auto& span : spans) list.push_back(to_json(span));
  const json scope = {{"scope", {{"name", "hark"}, {"version", version()}}}, {"spans", std::move(list)}};
  const json body = {{"resourceSpans", {{{"resource", {{"attributes", std::move(resource)}}}, {"scopeSpans", {scope}}}}}};
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace hark
