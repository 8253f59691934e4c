// The filter language, one for `where`, `if`, history and the API:
//   field:value  field:  field:>90  >= < <=  a,b (and)  a|b (or, looser)  !a  (a)  * ? in a value  "quoted value"
// A field is looked up by the caller; dots walk into objects, numbers index lists. Pure; safe from any thread once parsed.
//
// A field's name is letters, digits, `_ - . / @` and any byte beyond ASCII. A value with a blank or one of the signs above is
// quoted: `\"` and `\\` are the only escapes, and nothing in it is a glob. Numbers are equal as numbers (1.0 is 1), and a text
// that is a number compares as one; what is no number never satisfies a comparison. true, false and null are written so. `field:`
// holds for whatever is there, null as well. A list satisfies a term when one of its elements does; an object satisfies presence
// only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/event.h"
#include "core/event_field.h"
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
  // Bounded by limits::kFilterLength and kFilterDepth.
  static Result<Filter> parse(std::string_view text);

  bool empty() const;                       // matches everything
  const std::string& text() const;          // as written
  std::vector<std::string> fields() const;  // the fields it looks at, for a check of names
  std::vector<std::string> values(std::string_view field) const;  // what `field:value` wants of one, globs left out: for the same
  // Values one of which `field` must equal wherever the filter matches: for an index to narrow the search. nullopt: it may have any.
  std::optional<std::vector<std::string>> required(std::string_view field) const;
  Verdict evaluate(const Lookup& lookup) const;
  // Fields of an event, as core/event_field.h names them: `event.x`, `payload.x`; without a prefix the envelope, then the data.
  Verdict evaluate(const Event& event) const;

  friend bool operator==(const Filter& a, const Filter& b) { return a.text_ == b.text_; }

 private:
  struct Node;
  class Parser;
  std::string text_;
  std::shared_ptr<const Node> root_;
};

// An Error for a field that no event can have (`event.tpye`), with the nearest one that it has. For the configuration's check.
Status check_event_fields(const Filter& filter);

// `text` as a quoted value: for a filter that is put together from event data, which must not become signs of the language.
std::string quote_filter_value(std::string_view text);

}  // namespace hark
