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
  // `types`: globs, one of which must match; `topic`: a glob, empty for any; `where`: a filter, empty for any.
  static Result<EventPattern> parse(const std::vector<std::string>& types, const std::string& topic, const std::string& where);

  bool may_match(std::string_view type, std::string_view topic) const;  // as far as can be said without the event itself
  bool matches(const Event& event) const;

 private:
  std::vector<Glob> types_;
  std::optional<Glob> topic_;
  Filter where_;
};

}  // namespace hark
