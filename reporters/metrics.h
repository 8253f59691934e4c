// Metrics in Prometheus' text form. A subscriber on the loop: it only counts. Labels are names of the configuration and fixed words,
// never what an event brought, so that their number is bounded.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/lifecycle.h"

namespace hark {

// What is read at the moment somebody asks.
struct Gauges {
  double waiting = 0;
  double running = 0;
  double for_events = 0;
  double held = 0;
  double connections = 0;
  double dead_letters = 0;
  std::vector<std::pair<std::string, bool>> sources;  // name, working as promised
};

class Metrics {
 public:
  Metrics();
  ~Metrics();

  void report(const lifecycle::Any& event);
  std::string text(const Gauges& gauges);  // the exposition, text format 0.0.4

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hark
