// Starting one child: the program found in PATH, its environment put together, posix_spawn, and an error that says why not. One that is to be
// contained is started by way of hark-launch.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/result.h"
#include "platform/base_environment.h"
#include "platform/descriptor.h"
#include "platform/launch_plan.h"
#include "platform/process.h"
#include "platform/run_cgroup.h"

namespace hark {

struct LaunchedProcess {
  pid_t pid = -1;
  Descriptor pidfd;
  // The writing ends stay open here too: so the readers see no end of file when the child closes its own, and the one wake-up
  // of a silent command is that of its end.
  Descriptor output, output_writer;
  Descriptor error_output, error_output_writer;
  // Of a contained command alone.
  std::string program;
  std::optional<LaunchPlan> plan;
  std::optional<CommandCgroup> cgroup;
  Descriptor report;
};

class Launcher {
 public:
  explicit Launcher(std::string launch_helper);
  // `starved`: it failed for lack of processes, memory or descriptors, and may be done later.
  Result<LaunchedProcess> launch(const Command& command, bool& starved) const;
  // Of one that has ended: why the command itself never began, as far as hark-launch or bwrap had to give up. nullopt: it did begin.
  static std::optional<Error> never_began(const Command& command, const LaunchedProcess& child, const ProcessResult& result);

  void contain_with(std::optional<CgroupHome> home, OwnPlaces own);
  CgroupControllers cgroup_controllers() const;

 private:
  // Never changed, but replaced: a launch holds the one it began with.
  struct Surroundings {
    std::optional<CgroupHome> home;
    OwnPlaces own;
  };
  std::shared_ptr<const Surroundings> surroundings() const;
  Status contain(const Command& command, const std::string& program, LaunchedProcess& child) const;

  DaemonEnvironment environment_;
  std::string launch_helper_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Surroundings> surroundings_ = std::make_shared<const Surroundings>();  // guarded by mutex_
  Descriptor nothing_;  // /dev/null: the input of a command that has none
};

}  // namespace hark
