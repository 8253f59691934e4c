// So many starts within any stretch of a unit of time, and no more: what comes beyond is told when it may. Pure: time is an argument.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "core/rate.h"
#include "core/time.h"

namespace hark {

class Throttle {
 public:
  using Key = std::pair<std::string, std::string>;  // source, and the key within it

  // Counts one more, and returns how long it has to wait: until the one `rate.count` before it is a unit of time ago.
  Duration take(const Key& key, const Rate& rate, SteadyTime now);
  // What was to start at `start` does not: the time is free for another. Nothing, where it was not taken.
  void give_back(const Key& key, SteadyTime start);
  // One that is known from before.
  void count(const Key& key, const Rate& rate, SteadyTime start);
  void forget(const std::string& source);  // all is counted anew
  std::size_t keys() const { return starts_.size(); }  // that are remembered

 private:
  void forget_old(SteadyTime now);

  struct Starts {
    // In order, those to come among them. Of those gone by only what still bounds is kept, of those to come limits::kThrottleSpare more
    // than bound the next: what is given back beyond makes room for one too early.
    std::deque<SteadyTime> times;
    Duration unit{};
  };
  std::map<Key, Starts> starts_;
  std::size_t forget_at_ = 0;  // so many keys
};

}  // namespace hark
