// What is known of the pull requests of one source: a state for each, and how far the forge was asked. Kept over restarts as marks
// (sources/marks.h). Loop thread only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "sources/pull_request_state.h"

namespace hark {

class Marks;

class KnownRequests {
 public:
  // How far a repository was asked, by the times that the forge itself gives.
  struct Asked {
    std::string repository;
    WallTime since;  // what was made then or later is new
    WallTime seen;   // what was updated before was told
  };
  using Change = std::pair<std::string, std::string>;  // of a mark

  KnownRequests(std::string source, Marks& marks) : source_(std::move(source)), marks_(marks) {}

  // Once; an Error of the journal.
  Status take_up();
  bool taken_up() const { return taken_up_; }

  const PullRequestState* find(const std::string& subject) const;
  // In memory; the mark is for the event that tells it. Answers the marks that change: this one, and those that are forgotten for it.
  std::vector<Change> set(const std::string& subject, PullRequestState state);
  void put_back(const std::string& subject, const std::optional<PullRequestState>& state);  // and its mark: it was not told
  void note(std::vector<Change> marks);  // what no event tells

  const std::optional<Asked>& asked() const { return asked_; }
  void set_asked(Asked asked);

 private:
  void forget_oldest(std::vector<Change>& changes);

  const std::string source_;
  Marks& marks_;
  bool taken_up_ = false;
  std::map<std::string, PullRequestState> states_;
  std::optional<Asked> asked_;
};

}  // namespace hark
