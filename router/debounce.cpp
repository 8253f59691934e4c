#include "router/debounce.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"

namespace hark {

void Debounce::move(const Key& key, Waiting& waiting, SteadyTime due) {
  order_.erase({waiting.due, key});
  waiting.due = due;
  order_.emplace(due, key);
}

const std::vector<Debounce::Held>& Debounce::hold(const Key& key, EventPtr event, const Terms& terms, SteadyTime now,
                                                     std::vector<std::string> without) {
  auto& waiting = waiting_[key];
  if (waiting.events.empty()) waiting.deadline = terms.most ? now + *terms.most : SteadyTime::max();
  waiting.events.push_back({std::move(event), now, std::move(without)});
  ++held_;
  if (waiting.events.size() < terms.count) {
    move(key, waiting, std::min(now + terms.quiet, waiting.deadline));
    return waiting.events;
  }
  order_.erase({waiting.due, key});
  full_.push_back({key, std::move(waiting.events)});
  waiting_.erase(key);
  return full_.back().events;
}

std::vector<Debounce::Batch> Debounce::due(SteadyTime now) {
  auto batches = std::exchange(full_, {});
  for (const auto& batch : batches) held_ -= batch.events.size();
  while (!order_.empty() && (order_.begin()->first <= now || held_ > limits::kDebounceHeld)) {
    auto node = waiting_.extract(order_.begin()->second);
    order_.erase(order_.begin());
    held_ -= node.mapped().events.size();
    batches.push_back({node.key(), std::move(node.mapped().events)});
  }
  return batches;
}

std::optional<SteadyTime> Debounce::next_due() const {
  if (!full_.empty()) return SteadyTime{};
  return order_.empty() ? std::nullopt : std::optional(order_.begin()->first);
}

void Debounce::let_go(const std::string& source) {
  for (auto waiting = waiting_.lower_bound({source, ""}); waiting != waiting_.end() && waiting->first.first == source;) {
    order_.erase({waiting->second.due, waiting->first});
    full_.push_back({waiting->first, std::move(waiting->second.events)});
    waiting = waiting_.erase(waiting);
  }
}

void Debounce::clear() {
  full_.clear();
  waiting_.clear();
  order_.clear();
  held_ = 0;
}

bool Debounce::holds(const std::string& source) const {
  if (std::any_of(full_.begin(), full_.end(), [&](const Batch& batch) { return batch.key.first == source; })) return true;
  const auto first = waiting_.lower_bound({source, ""});
  return first != waiting_.end() && first->first.first == source;
}

}  // namespace hark
