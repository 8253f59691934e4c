// What the router knows of one source: who wants its events, which of them, and how they are gathered.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/event_pattern.h"
#include "core/filter.h"
#include "core/rate.h"
#include "core/template.h"
#include "core/time.h"

namespace hark {

struct Rule {
  std::string source;                  // unique
  std::vector<std::string> handlers;
  std::optional<EventPattern> published;  // the source is these events of the bus; else only what is offered under its name
  Filter where;
  Duration debounce{};                 // trailing: fires after this much quiet; 0: at once
  std::optional<Duration> debounce_max;  // ... but no later than this after the first
  std::optional<Template> dedupe_key;    // events that have it alike are one fact; the source's own key (a delivery id) where there is none
  Duration dedupe_window = std::chrono::hours(24);
  std::optional<Template> key;           // what is gathered, bounded and kept in order is each of these by itself
  struct Batch {
    std::size_t max = 100;
    Duration within{};
    friend bool operator==(const Batch&, const Batch&) = default;
  };
  std::optional<Batch> batch;            // one event for so many, or for those that came within that time of the first
  std::optional<Rate> throttle;          // of starts of each handler; the others wait (queue/run_queue.h)
  int priority = 0;
  friend bool operator==(const Rule&, const Rule&) = default;
};

}  // namespace hark
