// One step of a branch, as who made it tells.
#pragma once

#include <string>

namespace hark {

struct BranchMove {
  std::string branch;  // without refs/heads/
  std::string before;  // empty: from wherever it stood. A commit's id; only zeros: it is new
  std::string after;   // only zeros: it is deleted
  friend bool operator==(const BranchMove&, const BranchMove&) = default;
};

}  // namespace hark
