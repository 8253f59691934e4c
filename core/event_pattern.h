// Which events somebody waits for: their types, their topic, and a filter. Pure; safe from any thread once parsed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/filter.h"
#include "core/glob.h"
#include "core/result.h"

namespace hark {

class EventPattern {
 public:
  // Globs: one of `types` must match, and `topic`, where it is not empty; `where` is a filter, empty for any.
  static Result<EventPattern> parse(const std::vector<std::string>& types, const std::string& topic, const std::string& where);
  // One of `topics` must match; none of them: any.
  static Result<EventPattern> parse(const std::vector<std::string>& types, const std::vector<std::string>& topics, const std::string& where);

  bool may_match(std::string_view type, std::string_view topic) const;  // as far as can be said without the event itself
  bool wants_topic(std::string_view topic) const;
  bool matches(const Event& event) const;
  const std::vector<Glob>& topics() const { return topics_; }  // none: any

  friend bool operator==(const EventPattern&, const EventPattern&) = default;

 private:
  std::vector<Glob> types_;
  std::vector<Glob> topics_;  // none: any
  Filter where_;
};

}  // namespace hark
