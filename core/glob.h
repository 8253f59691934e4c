// Globs over paths: `*` and `?` stay within a segment, `**` crosses segments, `[a-z]`, `[!x]`, `{a,b}`, `\` escapes. A pattern
// without '/' matches the last segment anywhere in the tree, as in .gitignore. Linear in the text for each alternative: never
// exponential, whatever the pattern. Bytes, not characters: a name need not be UTF-8.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace hark {

class Glob {
 public:
  static Result<Glob> parse(std::string_view pattern);
  bool matches(std::string_view path) const;  // relative, '/'-separated, no leading "./"
  const std::string& pattern() const { return pattern_; }

 private:
  std::string pattern_;
  std::vector<std::string> alternatives_;  // braces expanded
  bool anywhere_ = false;
};

// A list of globs in which "!x" excludes: a path is in when an include matches (none given: every path) and no exclude does.
class GlobSet {
 public:
  static Result<GlobSet> parse(const std::vector<std::string>& patterns);
  bool matches(std::string_view path) const;
  // True where an exclude matches the folder itself (or "x/**" does), so that nothing below it can match and it need not be entered.
  bool prunes(std::string_view folder) const;

 private:
  std::vector<Glob> includes_;
  std::vector<Glob> excludes_;
};

// `*` and `?` over any text (a filter's value, a branch or type pattern); no other sign is special.
bool wildcard_match(std::string_view pattern, std::string_view text);

}  // namespace hark
