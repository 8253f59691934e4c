// What a command may have and reach: chosen for a handler (daemon/config_containment.cpp), carried by each Command, put into effect by
// platform/process_launch.cpp. Values, read by every thread. The words are those of systemd.exec(5) and systemd.resource-control(5).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "platform/user_account.h"

namespace hark {

// Which of the daemon's variables a command sees beside its own: a small base (platform/base_environment.h), and those named here.
struct EnvironmentChoice {
  bool inherit = false;           // all of them
  std::vector<std::string> pass;  // names, `*` and `?` stand for any text and any character
  friend bool operator==(const EnvironmentChoice&, const EnvironmentChoice&) = default;
};

// setrlimit(2): of each process for itself. Sizes in bytes.
struct ResourceLimits {
  std::optional<Duration> cpu;  // whole seconds, rounded up
  std::optional<std::uint64_t> memory;  // address space
  std::optional<std::uint64_t> open_files;
  std::optional<std::uint64_t> processes;  // of the user, all together
  std::optional<std::uint64_t> file_size;
  std::optional<std::uint64_t> core;
  friend bool operator==(const ResourceLimits&, const ResourceLimits&) = default;
};

// cgroups(7), version 2: of all processes of a command together.
struct CgroupLimits {
  std::optional<std::uint64_t> memory_max;  // bytes
  std::optional<int> cpu_max;               // percent of one CPU
  std::optional<std::uint64_t> pids_max;    // processes and threads
  bool any() const { return memory_max || cpu_max || pids_max; }
  friend bool operator==(const CgroupLimits&, const CgroupLimits&) = default;
};

// bwrap(1).
struct Sandbox {
  bool network = false;
  std::vector<std::string> writable;  // absolute paths, beside the working directory
  std::vector<std::string> readable;  // the same, where its private places would hide them
  friend bool operator==(const Sandbox&, const Sandbox&) = default;
};

struct Containment {
  EnvironmentChoice environment;
  std::optional<mode_t> umask;
  std::optional<int> nice;
  std::optional<UserAccount> user;
  std::optional<UserGroup> group;  // in place of the user's own
  ResourceLimits limits;
  CgroupLimits cgroup;
  std::optional<Sandbox> sandbox;

  // Whether posix_spawn(3) alone does not do it.
  bool needs_launcher() const { return umask || nice || user || group || limits != ResourceLimits{} || cgroup.any() || sandbox; }
  friend bool operator==(const Containment&, const Containment&) = default;
};

}  // namespace hark
