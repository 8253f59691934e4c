// Where the branches and tags of one repository stood when they were told last, and the telling of what moved since: what the local and
// the remote kind of `git_push` have in common. Knows nothing of how a repository is read.
//
// Known is a reference at its new place only once the event was taken; a refused one is offered again. The marks (sources/marks.h) keep
// the known over restarts, each with a number that makes the key of its next movement (git_refs.h says why).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/time.h"
#include "sources/git_movement.h"
#include "sources/git_repository.h"
#include "sources/source.h"

namespace hark {

class Clock;
class Loop;
class Marks;
class Timer;

// Loop thread only.
class RefLedger {
 public:
  struct Of {
    std::string source;      // its name
    std::string repository;  // as data and marks name it
    WantedRefs wanted;
  };
  RefLedger(Of of, Loop& loop, const Clock& clock, Marks& marks);
  ~RefLedger();

  // Between begin() and end() it may tell. `released`: what was refused may be offered again, so read again.
  void begin(SourceHost& host, std::function<void()> released);
  void end();

  bool knows_nothing() const { return known_ == nullptr; }
  // The first time: what an earlier process told last is known, of the references that it wanted; of the others the place where they
  // stand `now`, or with `from_nothing` nothing, where there was no earlier process. An Error of the journal.
  Status take_up(const RefTips& now, bool from_nothing = false);
  // For a worker to compare with: not changed by anybody before what it found is told. A new copy after each begin().
  std::shared_ptr<const RefTips> known() const { return known_; }
  const std::set<std::string>& held() const { return held_; }

  // What differs from known() (`all` of it, or a part), first noticed at that time. `settled` is called when each was taken or refused:
  // at once, where there is none. Whoever calls this may have been ended when it returns: the host may do so on each offer.
  void tell(std::vector<GitMovement> movements, bool all, WallTime noticed, std::function<void()> settled);

 private:
  using Life = std::shared_ptr<bool>;  // what an answer that comes back must find unchanged; one per begin()

  std::string whose() const;
  std::optional<WantedRefs> wanted_before(const std::string& whose) const;
  std::uint64_t number_of(const std::string& ref);
  void offer(const GitMovement& movement, WallTime noticed);
  void answered(const std::string& ref, const std::string& after, bool taken);
  void settle();
  void forget_unmoved(const std::vector<GitMovement>& movements);

  const Of of_;
  Loop& loop_;
  const Clock& clock_;
  Marks& marks_;

  // Kept across end() and begin().
  std::shared_ptr<RefTips> known_;                // null: never taken up
  std::map<std::string, std::uint64_t> numbers_;  // by reference: that of its next movement
  std::set<std::string> offered_;                 // not known to be taken: the same movement keeps its number

  SourceHost* host_ = nullptr;
  Life life_;
  std::function<void()> released_, settled_;
  std::unique_ptr<Timer> timer_;  // while any is held
  bool timer_is_set_ = false;
  int refusals_ = 0;  // pauses in a row
  std::size_t unanswered_ = 0;
  std::set<std::string> held_;  // refused, until the timer rings
};

}  // namespace hark
