// How spans are told to a collector: OTLP over HTTP in JSON (https://opentelemetry.io/docs/specs/otlp/). Pure.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/time.h"
#include "platform/http.h"
#include "reporters/spans.h"

namespace hark {

struct TraceOptions {
  std::string url;      // of the collector: "http://localhost:4318/v1/traces"
  HttpHeaders headers;  // of each request: a key
  Duration timeout = std::chrono::seconds(10);
  std::vector<std::pair<std::string, std::string>> resource;  // who sends: service.name, ...
};

// What the environment says, in OpenTelemetry's own variables (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
struct TraceWish {
  std::optional<TraceOptions> options;  // nullopt: nothing is to be sent
  std::vector<std::string> warnings;    // of what cannot be done as it says
};
TraceWish trace_wish(const std::function<std::optional<std::string>(const char*)>& variable);

// The body of one request.
std::string otlp_json(const TraceOptions& options, const std::vector<Span>& spans);

}  // namespace hark
