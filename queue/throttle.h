// So many starts of each key within any stretch of a unit of time, and no more. Pure: time is an argument, and never goes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "core/rate.h"
#include "core/time.h"

namespace hark {

class Throttle {
 public:
  explicit Throttle(const Rate& rate) : rate_(rate) {}

  // When the next of this key may start: `now`, or a unit after the one `rate.count` before it.
  SteadyTime next(std::uint64_t key, SteadyTime now) const;
  std::size_t room(std::uint64_t key, SteadyTime now) const;  // so many may start now
  void start(std::uint64_t key, SteadyTime now);
  void began(SteadyTime now);  // what was started since the last call begins only now: stretches are measured from here
  void count(std::uint64_t key, SteadyTime began);  // one that is known from before; in order

  const Rate& rate() const { return rate_; }
  std::size_t keys() const { return starts_.size(); }  // that are remembered

 private:
  void forget_old(SteadyTime now);

  Rate rate_;
  std::unordered_map<std::uint64_t, std::deque<SteadyTime>> starts_;  // the last `rate.count` of each key, in order
  std::vector<std::uint64_t> starting_;  // keys of those that have not begun yet
  std::size_t forget_at_ = limits::kThrottleKeys;  // so many keys
};

}  // namespace hark
