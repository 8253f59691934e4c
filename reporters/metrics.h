// Metrics in Prometheus' text form (exposition format 0.0.4). docs/monitoring.md lists them.
//
// A subscriber on the loop: it only counts. Labels are names of the configuration and fixed words. Where what came from outside is one (the
// type of an event), it is so for the first limits::kMetricValues values, and "(other)" for the rest: an event cannot make series at will.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/lifecycle.h"

namespace hark {

// A metric that is read at the moment somebody asks.
struct Reading {
  using Labels = std::vector<std::pair<std::string, std::string>>;
  std::string name;
  std::string help;
  std::vector<std::pair<Labels, double>> values;
  bool counter = false;  // it only rises; else a gauge
};

class Metrics {
 public:
  Metrics();
  ~Metrics();

  // Handlers of one step and one iteration: what these take is what their runs take, and nothing is kept of them beside that.
  void use(std::set<std::string> plain_handlers);  // loop thread, as the next
  void report(const lifecycle::Any& event);

  // Any thread.
  void committed(Duration took);                                // a transaction of the journal
  void synced(Duration took, std::size_t group);                // its file; for so many askers
  void lost(const std::string& reporter, std::uint64_t count);  // what a reporter had to leave out
  std::string text(const std::vector<Reading>& readings) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hark
