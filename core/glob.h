// Globs over paths: `*` and `?` stay within a segment, `**` crosses segments, `[a-z]`, `[!x]`, `[[:alpha:]]`, `{a,b}`, `\`
// escapes. A pattern without '/' matches the last segment anywhere in the tree, "/x" only at its top, and "x/" everything below a
// folder x, as in .gitignore; "**/" stands for any number of folders, none included, "x/**" for all that is below x. `*` matches
// a leading dot. Unlike in .gitignore, "a**b" crosses segments too. Text times pattern at the worst, whatever the pattern;
// bounded by limits::kGlobLength and kGlobAlternatives. Bytes, not characters: a name need not be UTF-8. Pure; safe from any
// thread.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace hark {

class Glob {
 public:
  static Result<Glob> parse(std::string_view pattern);
  bool matches(std::string_view path) const;  // relative, '/'-separated, no leading "./"
  // True where everything below `folder` is meant: the folder itself matches, or the pattern is "<folder>/**".
  bool covers(std::string_view folder) const;
  const std::string& pattern() const { return pattern_; }

  friend bool operator==(const Glob& a, const Glob& b) { return a.pattern_ == b.pattern_; }

 private:
  struct Token {
    enum class Kind : std::uint8_t {
      byte,
      any_byte,
      byte_class,
      star,
      deep_star,
      folders,
      inside_folders
    };  // the last two: "**/"
    Kind kind;
    std::uint16_t value;  // the byte, or the number of the class
  };
  // One way of choosing from the braces.
  struct Alternative {
    std::vector<Token> tokens;
    bool anywhere = false;          // only the last segment is looked at
    std::size_t folder_tokens = 0;  // of "x/**": the tokens of x; else 0
  };
  class Compiler;

  const char* add(std::string_view text);
  bool run(const Alternative& alternative, std::size_t count, std::string_view text) const;

  std::string pattern_;
  std::vector<Alternative> alternatives_;
  std::vector<std::bitset<256>> classes_;
};

// A list of globs in which "!x" excludes: a path is in when an include matches (none given: every path) and no exclude does,
// neither for itself nor for a folder that it is in. The order does not matter. `\!` is a name that begins with that sign.
class GlobSet {
 public:
  static Result<GlobSet> parse(const std::vector<std::string>& patterns);
  bool matches(std::string_view path) const;
  // True where an exclude matches the folder, or one that it is in (or "x/**" does), so that nothing below it can match and it
  // need not be entered.
  bool prunes(std::string_view folder) const;

 private:
  std::vector<Glob> includes_;
  std::vector<Glob> excludes_;
};

// `*` (any text) and `?` (one character) over any text (a filter's value, a branch or type pattern); no other sign is special.
bool wildcard_match(std::string_view pattern, std::string_view text);

}  // namespace hark
