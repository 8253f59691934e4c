// Child processes: started by posix_spawn in a group of their own, waited for through a pidfd, ended as a whole tree.
//
// The process is a subreaper, so that a grandchild that forked twice or called setsid comes back to it instead of to init; the
// end of a tree (platform/process_tree.h) finds such strays by descent, by group and session, and by the mark in their
// environment.
//
// A child gets: descriptors 0 to 2 and no other, an empty signal mask, default dispositions, the environment that the daemon
// had at its start (less NOTIFY_SOCKET, LISTEN_*, WATCHDOG_*) with the command's over it, HARK_RUN_ID among it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "core/result.h"
#include "core/time.h"

namespace hark {

struct Command {
  std::vector<std::string> argv;                                 // argv[0] is looked up in the PATH the child will have
  std::vector<std::pair<std::string, std::string>> environment;  // beside the daemon's own; later entries win
  std::string working_directory;                                 // empty: the daemon's
  std::string input;                                             // standard input, whole
  std::string run_id;                                            // the mark by which the end of the tree finds strays
  std::string output_stem;                                       // "<folder>/<step>": overflow goes to <stem>.out and <stem>.err
};

struct Captured {
  std::string head;         // at most limits::kOutputInMemory
  std::uint64_t bytes = 0;  // all that was written
  std::string file;         // where the whole is (up to limits::kOutputOnDisk); empty when `head` is the whole
};

struct ProcessResult {
  enum class End { exited, signalled, timed_out, cancelled };
  End end = End::exited;
  int code = 0;  // exit status, or 128 + signal
  Captured output;
  Captured error_output;
  std::string note;  // what else the reader should know: strays that were ended, output that was cut
};

class ProcessSpawner {
 public:
  virtual ~ProcessSpawner() = default;

  // Runs a command to its end on the calling (worker) thread. On `deadline`, or when `stop` is requested, the whole tree gets
  // SIGTERM, after limits::kTerminationGrace SIGKILL, and the call returns when no process of it is left. An Error means
  // that nothing was started (no such program, no such folder); a deadline or stop that came before the start is a result. Where the
  // machine has no process, memory or descriptor to spare, it is tried again and again, with pauses: that is not the command's fault.
  //
  // The command's end is that of the process it names. One that it leaves behind (`server &`) is left alone, and what it writes
  // to the inherited streams after that is lost: a run does not wait for it, and no reader remains (SIGPIPE).
  virtual Result<ProcessResult> run(const Command& command, std::optional<SteadyTime> deadline, std::stop_token stop) = 0;
};

class RealProcessSpawner final : public ProcessSpawner {
 public:
  // Makes the process a subreaper (prctl(2)) and remembers its environment. `grace`: between SIGTERM and SIGKILL.
  explicit RealProcessSpawner(Duration grace = limits::kTerminationGrace);
  ~RealProcessSpawner() override;
  Result<ProcessResult> run(const Command& command, std::optional<SteadyTime> deadline, std::stop_token stop) override;

  // Why no process can be started just now, as far as the machine has none to spare; empty: they can be. Any thread.
  std::string starved() const;

  // Reaps adopted orphans that have ended. The loop calls it on SIGCHLD; it never touches a child that run() waits for. One
  // system call when there is nothing to do. It takes every other child of the process: start all of them through a spawner.
  void reap_orphans();

  // Ends every process of this user that bears HARK_RUN_ID=<run_id>, with its descendants: what a daemon that died left of a run.
  // Blocks like the end of a run, and returns how many there were.
  std::size_t end_marked(const std::string& run_id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hark
