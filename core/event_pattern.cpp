#include "core/event_pattern.h"

#include <algorithm>
#include <utility>

namespace hark {

Result<EventPattern> EventPattern::parse(const std::vector<std::string>& types, const std::string& topic, const std::string& where) {
  EventPattern pattern;
  for (const auto& type : types) {
    auto glob = Glob::parse(type);
    if (!glob) return glob.error();
    pattern.types_.push_back(std::move(*glob));
  }
  if (!topic.empty()) {
    auto glob = Glob::parse(topic);
    if (!glob) return glob.error();
    pattern.topic_ = std::move(*glob);
  }
  auto filter = Filter::parse(where);
  if (!filter) return filter.error();
  pattern.where_ = std::move(*filter);
  return pattern;
}

bool EventPattern::may_match(std::string_view type, std::string_view topic) const {
  const auto fits = [type](const Glob& glob) { return glob.matches(type); };
  return std::any_of(types_.begin(), types_.end(), fits) && (!topic_ || topic_->matches(topic));
}

bool EventPattern::matches(const Event& event) const { return may_match(event.type, event.topic) && where_.evaluate(event).matches; }

}  // namespace hark
