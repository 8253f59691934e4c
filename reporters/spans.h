// What hark did, as the spans of a trace: an event that was accepted or stopped, an attempt of a run, an iteration, a step or gate, a question to
// a provider. The ids are those of platform/trace_context.h. Loop thread only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/lifecycle.h"
#include "core/time.h"

namespace hark {

struct Span {
  enum class Kind { internal = 1, client = 3, consumer = 5 };  // OpenTelemetry's numbers
  std::string trace_id, id;
  std::string parent;  // empty: the trace begins with it
  std::string name;
  Kind kind = Kind::internal;
  WallTime begin{}, end{};
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<std::pair<std::string, std::int64_t>> numbers;
  std::optional<std::string> error;  // it failed: why
};

class Spans {
 public:
  // nullopt: nothing came to its end, or whoever began the trace does not want it recorded.
  std::optional<Span> of(const lifecycle::Any& event, WallTime now);

 private:
  std::optional<Span> of_run(const Run& run, WallTime now);

  std::map<std::string, WallTime> begun_;  // when the attempt under way of each run began
};

}  // namespace hark
