// Child processes: started by posix_spawn in a group of their own, waited for through a pidfd, ended as a whole tree.
//
// The process is a subreaper, so that a grandchild that forked twice or called setsid comes back to it instead of to init; the
// end of a tree (platform/process_tree.h) finds such strays by descent, by group and session, and by the mark in their
// environment.
//
// A child gets: descriptors 0 to 2 and no other, an empty signal mask, default dispositions, what it may have of the environment that the
// daemon had at its start (platform/base_environment.h) with the command's over it, HARK_RUN_ID among it.
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
#include "core/mask.h"
#include "core/result.h"
#include "core/time.h"
#include "platform/containment.h"
#include "platform/run_cgroup.h"

namespace hark {

struct Command {
  std::vector<std::string> argv;                                 // argv[0] is looked up in the PATH the child will have
  std::vector<std::pair<std::string, std::string>> environment;  // beside those of `containment`; later entries win
  std::string working_directory;                                 // empty: the daemon's
  std::string input;                                             // standard input, whole
  std::string run_id;                                            // the mark by which the end of the tree finds strays
  std::string output_stem;                                       // "<folder>/<step>": overflow goes to <stem>.out and <stem>.err
  std::vector<std::string> appended_files;  // beside those: what it may write to although a sandbox does not let it into the folder
  Containment containment;
  Mask mask;                                                     // of what it writes: ProcessResult and the files hold it masked
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

// What is the daemon's alone, so that a sandbox keeps it from commands: who writes the configuration, or speaks on the control socket, is out.
struct OwnPlaces {
  std::string state_folder;                // hidden whole, unless the command works in it
  std::vector<std::string> state_files;    // then these are: the journal, the socket
  std::vector<std::string> configuration;  // to be read only
};

class ProcessSpawner {
 public:
  virtual ~ProcessSpawner() = default;

  // Runs a command to its end on the calling (worker) thread. On `deadline`, or when `stop` is requested, the whole tree gets
  // SIGTERM, after limits::kTerminationGrace SIGKILL, and the call returns when no process of it is left. An Error means
  // that the command never began (no such program, a limit that cannot be set); a deadline or stop that came before the start is a result. Where the
  // machine has no process, memory or descriptor to spare, it is tried again and again, with pauses: that is not the command's fault.
  //
  // The command's end is that of the process it names. One that it leaves behind (`server &`), with no cgroup or sandbox, is left alone, and what it writes
  // to the inherited streams after that is lost: a run does not wait for it, and no reader remains (SIGPIPE).
  virtual Result<ProcessResult> run(const Command& command, std::optional<SteadyTime> deadline, std::stop_token stop) = 0;
};

class RealProcessSpawner final : public ProcessSpawner {
 public:
  // Makes the process a subreaper (prctl(2)) and remembers its environment. `grace`: between SIGTERM and SIGKILL. `launch_helper`: the file
  // of hark-launch, where it is not beside the program (platform/launch_plan.h).
  explicit RealProcessSpawner(Duration grace = limits::kTerminationGrace, std::string launch_helper = {});
  ~RealProcessSpawner() override;
  Result<ProcessResult> run(const Command& command, std::optional<SteadyTime> deadline, std::stop_token stop) override;

  // For the commands that start from now on; without a home for cgroups, what they lack is made up for (platform/run_cgroup.h). Any thread.
  void contain_with(std::optional<CgroupHome> home, OwnPlaces own);
  CgroupControllers cgroup_controllers() const;  // those that commands can be bounded by

  // Between SIGTERM and SIGKILL, of what is ended from now on. Any thread.
  void set_grace(Duration grace);

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
