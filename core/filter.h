// The filter language, one for `where`, `if`, history and the API:
//   field:value  field:  field:>90  >= < <=  a,b (and)  a|b (or, looser)  !a  (a)  * ? in a value  "quoted value"
// A field is looked up by the caller; dots walk into objects, numbers index lists. Pure; safe from any thread once parsed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/event.h"
#include "core/result.h"

namespace hark {

class Filter {
 public:
  // Finds a field's value; nullptr: there is none.
  using Lookup = std::function<const nlohmann::json*(std::string_view field)>;

  struct Verdict {
    bool matches = false;
    std::string why;  // when it does not: the term that decided, "payload.action is 'closed', wanted 'opened'"
  };

  Filter();  // matches everything
  // The error names the column (from 1) and what was expected there.
  static Result<Filter> parse(std::string_view text);

  bool empty() const;                    // matches everything
  const std::string& text() const;       // as written
  std::vector<std::string> fields() const;  // the fields it looks at, for a check of names
  Verdict evaluate(const Lookup& lookup) const;
  // Fields of an event: `event.x`, `payload.x`; without a prefix the envelope first, then the data.
  Verdict evaluate(const Event& event) const;

 private:
  struct Node;
  std::string text_;
  std::shared_ptr<const Node> root_;
};

// Walks "a.b.0.c" into a value; nullptr when something on the way is not there.
const nlohmann::json* json_at(const nlohmann::json& value, std::string_view dotted_path);

}  // namespace hark
