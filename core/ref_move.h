// One step of a branch or tag, as who made it tells.
#pragma once

#include <string>

namespace hark {

struct RefMove {
  std::string ref;     // "refs/heads/main"
  std::string before;  // empty: from wherever it stood. A commit's id; only zeros: it is new
  std::string after;   // only zeros: it is deleted
  friend bool operator==(const RefMove&, const RefMove&) = default;
};

}  // namespace hark
