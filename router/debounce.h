// Gathers what comes in quick succession and lets it go after `quiet`, but no later than `most` after the first, and no more than `count`
// at once: a trailing debounce with a deadline, and a batch. Pure: time is an argument.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/time.h"

namespace hark {

class Debounce {
 public:
  using Key = std::pair<std::string, std::string>;  // source, and the key within it
  struct Held {
    EventPtr event;
    SteadyTime came;
    std::vector<std::string> without{};  // handlers that are not to run for it
  };
  struct Batch {
    Key key;
    std::vector<Held> events;  // in the order they came; never empty; `count` at most
  };
  struct Terms {
    Duration quiet{};
    std::optional<Duration> most;
    std::size_t count = 0;
  };

  // Holds `event` under `key`; the wait of that key starts anew. Returns what it holds now. What has reached its count is let go by itself:
  // the next event begins another batch.
  const std::vector<Held>& hold(const Key& key, EventPtr event, const Terms& terms, SteadyTime now, std::vector<std::string> without = {});

  // Takes what may go, the longest-waiting first. While more than limits::kDebounceHeld are held in all, the next ones go as well.
  std::vector<Batch> due(SteadyTime now);

  void let_go(const std::string& source);  // all that is held of it is due

  std::optional<SteadyTime> next_due() const;
  std::size_t held() const { return held_; }
  bool holds(const std::string& source) const;
  void clear();

 private:
  struct Waiting {
    std::vector<Held> events;
    SteadyTime due;
    SteadyTime deadline;
  };
  void move(const Key& key, Waiting& waiting, SteadyTime due);

  std::vector<Batch> full_;  // go before the others
  std::map<Key, Waiting> waiting_;
  std::set<std::pair<SteadyTime, Key>> order_;  // of waiting_, by when they are due
  std::size_t held_ = 0;
};

}  // namespace hark
