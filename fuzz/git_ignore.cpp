// An ignore file; its last line is the path it is asked about.
#include "core/git_ignore.h"

#include "fuzz/fuzz.h"

using namespace hark;

void fuzz(std::string_view input) {
  const auto end = input.rfind('\n');
  if (end == input.npos) return;
  const auto path = input.substr(end + 1);
  const auto rules = IgnoreRules::parse(input.substr(0, end));
  const auto verdict = rules.verdict(path, true);
  HOLDS(!rules.empty() || verdict == IgnoreRules::Verdict::none);
  // The last line that matches decides: taken back in at the end, nothing before counts.
  if (!path.empty() && path.find_first_of("\r/ *?[]\\{}!#") == path.npos) {
    HOLDS(IgnoreRules::parse(std::string(input.substr(0, end)) + "\n!" + std::string(path)).verdict(path, false) != IgnoreRules::Verdict::ignored);
  }
}
