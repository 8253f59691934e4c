// A handler as configured: a named pipeline with its limits. Values, made by daemon/config, read by every thread.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/backoff.h"
#include "core/filter.h"
#include "core/template.h"
#include "core/time.h"

namespace hark {

struct RunStepOptions {
  bool shell = true;                 // `run` as a string: /bin/sh -c; as a list: no shell
  Template script;                   // shell
  std::vector<Template> arguments;   // no shell
};

// A JSON document whose strings are templates.
struct HttpStepOptions {
  std::string method = "GET";
  Template url;
  std::vector<std::pair<std::string, Template>> headers;
  std::optional<nlohmann::json> json;    // strings inside are templates, parsed when rendered
  std::optional<Template> body;
  std::vector<int> expect;               // statuses that are a success; empty: 200 to 299
};

struct Retry {
  int attempts = 1;
  Backoff backoff;
};

struct StepOptions {
  std::string name;                                         // unique within the handler
  std::variant<RunStepOptions, HttpStepOptions> kind;
  std::optional<Duration> timeout;                          // of one attempt
  Retry retry;
  Filter condition;                                         // `if`: not met: skipped
};

struct Handler {
  std::string name;
  std::vector<StepOptions> steps;
  int max_concurrent = 0;                                   // 0: only the daemon's cap
  std::optional<Duration> timeout;                          // of the whole run
  std::string working_directory;                            // absolute
  std::vector<std::pair<std::string, Template>> environment;
};

}  // namespace hark
