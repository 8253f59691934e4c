// What moved in a repository since it was known, and the event data of each movement.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/payload.h"
#include "core/ref_move.h"
#include "sources/git_repository.h"
#include "sources/ls_remote.h"

namespace hark {

struct GitMovement {
  std::string ref;      // its bytes as git has them
  std::string subject;  // the same as UTF-8
  std::string before;   // kNoCommit: it was not there
  std::string after;    // kNoCommit: it is not there any more
  Payload data;
  bool incomplete = false;
  std::size_t steps = 0;   // of the request's, counted from the first: with this one they are used up for this reference
};

struct GitReading {
  GitFolders folders;
  std::vector<GitMovement> movements;   // sorted by reference
  bool more = false;                    // there are further ones: settle these, then read again
  std::vector<std::string> unreadable;  // references that could not be read, each with its reason
};

struct GitReadRequest {
  std::string repository;  // its path, or its URL
  WantedRefs wanted;
  std::shared_ptr<const RefTips> known;  // not changed by anybody while the reading lasts
  std::set<std::string> held;               // references not to look at this time
  std::vector<RefMove> steps{};             // what somebody saw of them, oldest first: each that leads on from the known is a movement of its own
};

// Of a local repository, with the commits and files of each movement. Blocks; for a worker thread.
Result<GitReading> read_movements(const GitReadRequest& request);

// Of a remote one, that stands so now. What lies between two commits is not known of it: data has neither commits nor files. Pure.
GitReading remote_movements(const GitReadRequest& request, const RemoteRefs& now);

}  // namespace hark
