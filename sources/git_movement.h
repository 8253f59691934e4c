// One reading of a repository: which branches moved since they were known, and the event data of each. Blocks; for a worker
// thread.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/payload.h"
#include "sources/git_repository.h"

namespace hark {

struct GitMovement {
  std::string ref;      // its bytes as git has them
  std::string subject;  // the same as UTF-8
  std::string before;   // kNoCommit: the branch was not there
  std::string after;    // kNoCommit: it is not there any more
  Payload data;
  bool incomplete = false;
};

struct GitReading {
  GitFolders folders;
  std::vector<GitMovement> movements;   // sorted by reference
  bool more = false;                    // there are further ones: settle these, then read again
  std::vector<std::string> unreadable;  // branches that could not be read, each with its reason
};

struct GitReadRequest {
  std::filesystem::path repository;
  std::vector<std::string> branches;        // patterns over "main", "release/1.0"; empty: every branch
  std::shared_ptr<const BranchTips> known;  // not changed by anybody while the reading lasts
  std::set<std::string> held;               // references not to look at this time
};

Result<GitReading> read_movements(const GitReadRequest& request);

// Does one of the patterns fit the branch of this reference? Without any: always.
bool branch_matches(const std::vector<std::string>& patterns, const std::string& ref);

}  // namespace hark
