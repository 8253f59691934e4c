#include "router/throttle.h"

#include <algorithm>

#include "core/limits.h"

namespace hark {

Duration Throttle::take(const Key& key, const Rate& rate, SteadyTime now) {
  if (starts_.size() >= std::max(forget_at_, limits::kThrottleKeys)) forget_old(now);
  auto& starts = starts_[key];
  starts.unit = rate.unit;
  auto& times = starts.times;
  const auto count = static_cast<std::size_t>(rate.count);
  while (!times.empty() && (times.front() + rate.unit <= now || times.size() >= count + limits::kThrottleSpare)) times.pop_front();
  const auto start = times.size() < count ? now : std::max(now, times[times.size() - count] + rate.unit);
  times.insert(std::upper_bound(times.begin(), times.end(), start), start);
  return start - now;
}

void Throttle::count(const Key& key, const Rate& rate, SteadyTime start) {
  auto& starts = starts_[key];
  starts.unit = rate.unit;
  auto& times = starts.times;
  if (times.size() >= static_cast<std::size_t>(rate.count) + limits::kThrottleSpare) times.pop_front();
  times.insert(std::upper_bound(times.begin(), times.end(), start), start);
}

void Throttle::give_back(const Key& key, SteadyTime start) {
  const auto starts = starts_.find(key);
  if (starts == starts_.end()) return;
  auto& times = starts->second.times;
  // A time that went through the journal is in whole microseconds.
  const auto found = std::lower_bound(times.begin(), times.end(), start - limits::kThrottleSlack);
  if (found != times.end() && *found <= start + limits::kThrottleSlack) times.erase(found);
}

void Throttle::forget(const std::string& source) {
  std::erase_if(starts_, [&](const auto& entry) { return entry.first.first == source; });
}

// A key whose last start is a unit ago bounds nothing any more.
void Throttle::forget_old(SteadyTime now) {
  std::erase_if(starts_, [now](const auto& entry) { return entry.second.times.empty() || entry.second.times.back() + entry.second.unit <= now; });
  forget_at_ = starts_.size() * 2;  // what is left may be in use: looking again at every event would be slow
}

}  // namespace hark
