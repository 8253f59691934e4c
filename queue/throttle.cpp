#include "queue/throttle.h"

#include <algorithm>

#include "core/limits.h"

namespace hark {

SteadyTime Throttle::next(std::uint64_t key, SteadyTime now) const {
  const auto starts = starts_.find(key);
  if (starts == starts_.end() || starts->second.size() < static_cast<std::size_t>(rate_.count)) return now;
  return std::max(now, starts->second.front() + rate_.unit);
}

std::size_t Throttle::room(std::uint64_t key, SteadyTime now) const {
  const auto count = static_cast<std::size_t>(rate_.count);
  const auto starts = starts_.find(key);
  if (starts == starts_.end()) return count;
  const auto& times = starts->second;
  const auto counts = std::upper_bound(times.begin(), times.end(), now - rate_.unit);
  return count - static_cast<std::size_t>(times.end() - counts);
}

void Throttle::start(std::uint64_t key, SteadyTime now) {
  if (starts_.size() >= forget_at_) forget_old(now);
  count(key, now);
  starting_.push_back(key);
}

void Throttle::count(std::uint64_t key, SteadyTime began) {
  auto& times = starts_[key];
  if (times.size() >= static_cast<std::size_t>(rate_.count)) times.pop_front();
  times.push_back(began);
}

void Throttle::began(SteadyTime now) {
  for (auto key = starting_.begin(); key != starting_.end(); ++key) {
    auto& times = starts_.at(*key);
    const auto of_key = std::count(key, starting_.end(), *key);
    times[times.size() - std::min(times.size(), static_cast<std::size_t>(of_key))] = now;
  }
  starting_.clear();
}

// A key whose last start is a unit ago bounds nothing any more.
void Throttle::forget_old(SteadyTime now) {
  std::erase_if(starts_, [&](const auto& entry) { return entry.second.back() + rate_.unit <= now; });
  forget_at_ = std::max(starts_.size() * 2, limits::kThrottleKeys);  // what is left may be in use: looking again at every start would be slow
}

}  // namespace hark
