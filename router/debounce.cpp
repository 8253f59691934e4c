#include "router/debounce.h"

#include <algorithm>
#include <utility>

namespace hark {

std::size_t Debounce::hold(const std::string& key, EventPtr event, Duration quiet, std::optional<Duration> most, SteadyTime now) {
  auto& waiting = waiting_[key];
  if (waiting.events.empty()) waiting.deadline = most ? now + *most : SteadyTime::max();
  waiting.due = std::min(now + quiet, waiting.deadline);
  waiting.events.push_back(std::move(event));
  return waiting.events.size();
}

std::vector<Debounce::Batch> Debounce::due(SteadyTime now) {
  std::vector<std::pair<SteadyTime, std::string>> ready;
  for (const auto& [key, waiting] : waiting_) {
    if (waiting.due <= now) ready.emplace_back(waiting.due, key);
  }
  std::sort(ready.begin(), ready.end());
  std::vector<Batch> batches;
  for (const auto& [when, key] : ready) batches.push_back(take(key));
  return batches;
}

Debounce::Batch Debounce::take(const std::string& key) {
  const auto node = waiting_.extract(key);
  if (node.empty()) return {key, {}};
  return {key, std::move(node.mapped().events)};
}

std::optional<SteadyTime> Debounce::next_due() const {
  std::optional<SteadyTime> first;
  for (const auto& [key, waiting] : waiting_) {
    if (!first || waiting.due < *first) first = waiting.due;
  }
  return first;
}

std::size_t Debounce::held() const {
  std::size_t count = 0;
  for (const auto& [key, waiting] : waiting_) count += waiting.events.size();
  return count;
}

}  // namespace hark
