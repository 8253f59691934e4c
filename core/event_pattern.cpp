#include "core/event_pattern.h"

#include <algorithm>
#include <utility>

namespace hark {

namespace {

Status parse_globs(const std::vector<std::string>& texts, std::vector<Glob>& globs) {
  for (const auto& text : texts) {
    auto glob = Glob::parse(text);
    if (!glob) return glob.error();
    globs.push_back(std::move(*glob));
  }
  return {};
}

bool any_matches(const std::vector<Glob>& globs, std::string_view text) {
  return std::any_of(globs.begin(), globs.end(), [text](const Glob& glob) { return glob.matches(text); });
}

}  // namespace

Result<EventPattern> EventPattern::parse(const std::vector<std::string>& types, const std::string& topic, const std::string& where) {
  return parse(types, topic.empty() ? std::vector<std::string>() : std::vector{topic}, where);
}

Result<EventPattern> EventPattern::parse(const std::vector<std::string>& types, const std::vector<std::string>& topics, const std::string& where) {
  EventPattern pattern;
  if (auto done = parse_globs(types, pattern.types_); !done) return done.error();
  if (auto done = parse_globs(topics, pattern.topics_); !done) return done.error();
  auto filter = Filter::parse(where);
  if (!filter) return filter.error();
  pattern.where_ = std::move(*filter);
  return pattern;
}

bool EventPattern::may_match(std::string_view type, std::string_view topic) const {
  return any_matches(types_, type) && wants_topic(topic);
}

bool EventPattern::wants_topic(std::string_view topic) const { return topics_.empty() || any_matches(topics_, topic); }

bool EventPattern::matches(const Event& event) const { return may_match(event.type, event.topic) && where_.evaluate(event).matches; }

}  // namespace hark
