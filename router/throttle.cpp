#include "router/throttle.h"

#include <algorithm>

#include "core/limits.h"

namespace hark {

Duration Throttle::take(const Key& key, const Rate& rate, SteadyTime now) {
  if (starts_.size() >= std::max(forget_at_, limits::kThrottleKeys)) forget_old(now);
  auto& starts = starts_[key];
  starts.unit = rate.unit;
  auto start = now;
  while (starts.times.size() >= static_cast<std::size_t>(rate.count)) {
    start = std::max(start, starts.times.front() + rate.unit);
    starts.times.pop_front();
  }
  starts.times.push_back(start);
  return start - now;
}

// A key whose last start is a unit ago bounds nothing any more.
void Throttle::forget_old(SteadyTime now) {
  std::erase_if(starts_, [now](const auto& entry) { return entry.second.times.empty() || entry.second.times.back() + entry.second.unit <= now; });
  forget_at_ = starts_.size() * 2;  // what is left may be in use: looking again at every event would be slow
}

}  // namespace hark
