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
  const bool full = waiting.events.size() >= terms.count;
  move(key, waiting, full ? now : std::min(now + terms.quiet, waiting.deadline));
  return waiting.events;
}

std::vector<Debounce::Batch> Debounce::due(SteadyTime now) {
  std::vector<Batch> batches;
  while (!order_.empty() && (order_.begin()->first <= now || held_ > limits::kDebounceHeld)) {
    auto node = waiting_.extract(order_.begin()->second);
    order_.erase(order_.begin());
    held_ -= node.mapped().events.size();
    batches.push_back({node.key(), std::move(node.mapped().events)});
  }
  return batches;
}

std::optional<SteadyTime> Debounce::next_due() const { return order_.empty() ? std::nullopt : std::optional(order_.begin()->first); }

void Debounce::clear() {
  waiting_.clear();
  order_.clear();
  held_ = 0;
}

bool Debounce::holds(const std::string& source) const {
  const auto first = waiting_.lower_bound({source, ""});
  return first != waiting_.end() && first->first.first == source;
}

}  // namespace hark
