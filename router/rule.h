// What the router knows of one source: who wants its events, which of them, and how they are gathered.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/filter.h"
#include "core/time.h"

namespace hark {

struct Rule {
  std::string source;                  // unique
  std::vector<std::string> handlers;
  Filter where;
  Duration debounce{};                 // trailing: fires after this much quiet; 0: at once
  std::optional<Duration> debounce_max;  // ... but no later than this after the first
  Duration dedupe_window = std::chrono::hours(24);
  int priority = 0;
};

}  // namespace hark
