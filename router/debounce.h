// Trailing debounce with a deadline: gathers what comes in quick succession and lets it go after `quiet`, but no later than `most`
// after the first. Pure: time is an argument.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "core/time.h"

namespace hark {

class Debounce {
 public:
  // Holds `event` under `key`; the wait of that key starts anew. Returns how many it holds now.
  std::size_t hold(const std::string& key, EventPtr event, Duration quiet, std::optional<Duration> most, SteadyTime now);

  struct Batch {
    std::string key;
    std::vector<EventPtr> events;  // in the order they came
  };
  std::vector<Batch> due(SteadyTime now);  // takes what may go, the longest-waiting first
  Batch take(const std::string& key);      // takes it whatever the time; empty when there is nothing

  std::optional<SteadyTime> next_due() const;
  std::size_t held() const;
  void clear() { waiting_.clear(); }

 private:
  struct Waiting {
    std::vector<EventPtr> events;
    SteadyTime due;
    SteadyTime deadline;
  };
  std::map<std::string, Waiting> waiting_;  // one entry a rule (later: a rule and key): few, so a scan is cheap
};

}  // namespace hark
