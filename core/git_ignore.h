// The rules of one ignore file as git reads it (gitignore(5)): which paths below its folder it ignores, and which it takes back in.
//
// Not here: that a path inside an ignored folder cannot be taken back (whoever walks a tree does not enter it), and that git goes on
// with a file it tracks whatever is ignored. A line that git could not match either (an open '[') matches nothing. Time is that of
// core/glob.h: linear in the path, whatever the pattern. A pure value; bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/glob.h"

namespace hark {

class IgnoreRules {
 public:
  enum class Verdict { none, ignored, included };

  // Never fails. At most limits::kIgnoreRules lines count.
  static IgnoreRules parse(std::string_view text);

  // `path`: relative to the folder of the file, '/'-separated. The last line that matches decides.
  Verdict verdict(std::string_view path, bool is_folder) const;
  bool empty() const { return rules_.empty(); }

 private:
  struct Rule {
    bool included = false;      // "!x"
    bool folders_only = false;  // "x/"
    bool by_name = false;       // no '/' inside: the last segment is looked at
    bool ending = false;        // "*.o": `text` is how the name ends
    std::string text;           // for a pattern without signs: what it has to be
    std::optional<Glob> glob;   // for any other
    bool matches(std::string_view path, std::string_view name) const;
  };
  static std::optional<Rule> parse_line(std::string_view line);

  std::vector<Rule> rules_;
};

}  // namespace hark
