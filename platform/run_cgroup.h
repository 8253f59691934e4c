// Control groups (cgroups(7), version 2) for commands: one for each command that has limits of its own, below the daemon's, made before its
// start and removed after its end. Reads and writes files of the kernel; blocks for as long as what is in a group takes to die.
//
// The daemon's own group must be delegated to it (systemd: Delegate=yes). A group that shares out its resources holds no process itself, so
// the daemon moves into a leaf below ("hark-daemon"); only where it is alone in its group, for other processes are not its own to move.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "platform/containment.h"

namespace hark {

using CgroupControllers = std::set<std::string, std::less<>>;  // "memory", "cpu", "pids"

// The group of one command. Movable; what is left of it goes with its owner.
class CommandCgroup {
 public:
  // Takes over a group that is there.
  CommandCgroup(std::string folder, const CgroupLimits& limits) : folder_(std::move(folder)), limits_(limits) {}
  CommandCgroup(CommandCgroup&& other) noexcept;
  CommandCgroup& operator=(CommandCgroup&& other) noexcept;
  ~CommandCgroup();

  const std::string& folder() const { return folder_; }
  // Kills what is still in it and removes it. Returns what a reader should know: that memory or processes were at an end, or that it could
  // not be removed; else empty. Once.
  std::string end();

  // Writes the limits that `controllers` can keep into its files.
  Status set_limits(const CgroupControllers& controllers) const;

 private:
  std::string folder_;  // empty: ended
  CgroupLimits limits_;
};

class CgroupHome {
 public:
  // The daemon's own group, made ready: its controllers shared out, the daemon in the leaf, groups of dead daemons removed. An Error says why
  // commands can have no groups here.
  static Result<CgroupHome> open();
  CgroupHome(std::string folder, CgroupControllers controllers) : folder_(std::move(folder)), controllers_(std::move(controllers)) {}

  const CgroupControllers& controllers() const { return controllers_; }
  // Only limits of controllers() are set; the others are the caller's to make up for.
  Result<CommandCgroup> make(const CgroupLimits& limits) const;
  // Kills and removes what daemons left that are no more. Returns how many there were.
  std::size_t remove_left() const;

 private:
  std::string folder_;
  CgroupControllers controllers_;
};

// The same command where not all controllers are there, with what resource limits can do instead: memory_max bounds each process's
// address space. pids_max bounds the processes of `user`, where the handler names one that is not root: the kernel counts all that a user
// has, so for the daemon's own it would be a bound on somebody's whole desktop. For cpu_max there is nothing.
Containment made_up_for(Containment wanted, const CgroupControllers& there);
// Which of its keys do not hold as they are said, and what becomes of them, one clause each.
std::vector<std::string> shortfalls(const Containment& wanted, const CgroupControllers& there);

// What this machine's version 2 has at all, whoever it is delegated to.
CgroupControllers machine_controllers();

// The folder of a process's group, by /proc/PID/mountinfo and /proc/PID/cgroup; empty: it is in none of version 2.
std::string cgroup_folder(std::string_view mountinfo, std::string_view memberships);

}  // namespace hark
