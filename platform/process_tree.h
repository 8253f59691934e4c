// Finding and ending every process that a command started, however it tried to leave.
//
// Members are: the root; children of members; processes in a group or session that a member leads; processes that bear the run's
// mark (HARK_RUN_ID) in their environment; and, where the caller says it can be no one else's, an orphan this process adopted
// that bears no mark at all. A member once seen is held by a pidfd, so that it is not lost when its parent dies, and
// no foreign process is hit when its number is given out again. Blocks; one thread at a time.
#pragma once

#include <poll.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"
#include "platform/descriptor.h"
#include "platform/process_table.h"

namespace hark {

class ProcessTree {
 public:
  struct Options {
    pid_t root = 0;                         // not reaped yet, and left unreaped; 0: the mark alone decides
    std::string run_id;                     // the mark; empty: none is looked for
    std::function<bool(pid_t)> is_command;  // a child of this process that some caller waits for: never a stray
    std::function<void(pid_t)> reap_orphan;  // a zombie that is a child of this process; leaves commands alone
    std::function<bool()> owns_strays;      // an adopted orphan without a trace can only be this tree's
    Duration grace{};
  };
  // Waits until one of `fds` is ready or `until` has come; may add descriptors of its own behind them and serve those.
  using Wait = std::function<void(std::vector<pollfd>& fds, SteadyTime until)>;

  explicit ProcessTree(Options options) : options_(std::move(options)) {}

  // SIGTERM to all (stopped while they are looked up), grace, SIGKILL until none is left; reaps those that came to this process.
  // Returns what a reader should know of it (who had to be killed, who could not be), empty when there is nothing to say.
  std::string end(const Wait& wait);
  std::size_t members() const { return members_.size(); }

 private:
  struct Member {
    Descriptor pidfd;
    std::uint64_t start = 0;
    std::string name;
    bool gone = false;
    bool out_of_reach = false;  // another user's: neither signalled nor waited for
  };

  using Table = std::map<pid_t, ProcessEntry>;

  std::size_t collect();  // returns how many were seen that were not held before; 0: all are known
  void add_marked(const Table& table);
  bool could_be_ours(const ProcessEntry& entry, const Table& table) const;
  bool add_related(const Table& table);
  bool knows(const ProcessEntry& entry) const;
  bool is_parent(pid_t parent, const Table& table) const;
  bool leads(pid_t leader, const ProcessEntry& entry, const Table& table) const;
  void add(const ProcessEntry& entry);
  void signal(Member& member, int number);
  void signal_group(int number);
  void signal_all(int number);
  void freeze(SteadyTime give_up);
  std::size_t hunt();  // returns how many were found
  void kill_all(const Wait& wait);
  void wait_until_gone(const Wait& wait, SteadyTime until);
  bool any_left() const;
  bool reap(Member& member);
  std::string note_of_left(std::string_view opening) const;

  Options options_;
  std::map<pid_t, Member> members_;
  std::uint64_t root_start_ = 0;
  std::set<std::pair<pid_t, std::uint64_t>> dead_;  // zombies seen that never were members
  std::set<pid_t> own_line_;                        // this process and those above it
  std::size_t fleeting_ = 0;  // of the last collect(): gone before they were held, or no descriptor was left (a fork bomb)
  bool freezing_ = false;     // who is found is stopped at once
  std::vector<std::string> untraced_;  // of the last collect(): adopted orphans that may or may not be of this tree
};

}  // namespace hark
