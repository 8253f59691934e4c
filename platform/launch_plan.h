// How a contained command is started: what hark-launch is to do before it (platform/launch_protocol.h), and what bwrap(1) is put around
// it. Pure but for looks at which files there are. Any thread.
//
// In a sandbox: hark-launch (limits, user) -> bwrap (namespaces, mounts) -> hark-launch (reports that it got there) -> the program. SIGTERM is
// ignored by bwrap, and means its default to the program again: else bwrap would die of it at once and take the command along,
// before that had its grace. bwrap ends with the program's exit status, 128 and the signal's number where one ended it, and with it goes all
// that is left in its process namespace.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "platform/launch_protocol.h"
#include "platform/process.h"

namespace hark {

struct LaunchPlan {
  // One thing that hark-launch does: its word, what the user calls it, what helps when it fails.
  struct Step {
    std::string word;
    std::string setting;
    std::string cure;
  };
  std::vector<Step> steps;
  std::vector<std::string> argv;  // of hark-launch, whole

  // What a report of this plan's helper means, but for kExec and kReached.
  Error error_of(const LaunchReport& report) const;
};

// `program`: the file of command.argv[0]. `cgroup`: the folder of the group to join; empty: none.
Result<LaunchPlan> plan_launch(const Command& command, const std::string& program, const std::string& helper, const std::string& cgroup,
                               const OwnPlaces& own);

// hark-launch beside this program, or where it is installed (libexec/hark). Empty: it is in neither place.
std::string find_launch_helper();
// bwrap in this process's PATH. Empty: it is not installed.
std::string find_bubblewrap();

}  // namespace hark
