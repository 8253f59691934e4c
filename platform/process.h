// Child processes: started by posix_spawn in a group of their own, waited for through a pidfd, ended as a whole tree.
//
// The process is a subreaper, so that a grandchild that forked twice or called setsid comes back to it instead of to init;
// end_tree() finds such strays by descent, by session, and by the mark in their environment (HARK_RUN_ID).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace hark {

struct Command {
  std::vector<std::string> argv;                                   // argv[0] is looked up in PATH
  std::vector<std::pair<std::string, std::string>> environment;   // beside the daemon's own; later entries win
  std::string working_directory;                                   // empty: the daemon's
  std::string input;                                               // standard input, whole
  std::string run_id;                                              // the mark that end_tree() goes by
  std::string output_stem;                                         // "<folder>/<step>": overflow goes to <stem>.out and <stem>.err
};

struct Captured {
  std::string head;          // at most limits::kOutputInMemory
  std::uint64_t bytes = 0;   // all that was written
  std::string file;          // where the whole is (up to limits::kOutputOnDisk); empty when `head` is the whole
};

struct ProcessResult {
  enum class End { exited, signalled, timed_out, cancelled };
  End end = End::exited;
  int code = 0;              // exit status, or 128 + signal
  Captured output;
  Captured error_output;
  std::string note;          // what else the reader should know: strays that were ended, output that was cut
};

class ProcessSpawner {
 public:
  virtual ~ProcessSpawner() = default;

  // Runs a command to its end on the calling (worker) thread. On `deadline`, or when `stop` is requested, the whole tree gets
  // SIGTERM, after limits::kTerminationGrace SIGKILL, and the call returns when no process of it is left. An Error means
  // that nothing was started (no such program, no such folder).
  virtual Result<ProcessResult> run(const Command& command, std::optional<SteadyTime> deadline, std::stop_token stop) = 0;
};

class RealProcessSpawner final : public ProcessSpawner {
 public:
  RealProcessSpawner();  // makes the process a subreaper
  ~RealProcessSpawner() override;
  Result<ProcessResult> run(const Command& command, std::optional<SteadyTime> deadline, std::stop_token stop) override;

  // Reaps adopted orphans that have ended. The loop calls it on SIGCHLD; it never touches a child that run() waits for.
  void reap_orphans();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hark
