// Starting one child: the program found in PATH, its environment put together, posix_spawn, and an error that says why not.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "platform/descriptor.h"
#include "platform/process.h"

namespace hark {

// The daemon's own environment as it was at the start, less what speaks to the daemon alone (sd_notify(3), sd_listen_fds(3),
// sd_watchdog_enabled(3)). Read by every thread.
class BaseEnvironment {
 public:
  explicit BaseEnvironment(char** environ_block);

  const std::vector<std::string>& strings() const { return strings_; }  // "NAME=value"
  // Where `name` stands in strings(); npos: nowhere.
  std::size_t find(std::string_view name) const;
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

 private:
  std::vector<std::string> strings_;
  std::unordered_map<std::string_view, std::size_t> places_;
};

struct LaunchedProcess {
  pid_t pid = -1;
  Descriptor pidfd;
  // The writing ends stay open here too: so the readers see no end of file when the child closes its own, and the one wake-up
  // of a silent command is that of its end.
  Descriptor output, output_writer;
  Descriptor error_output, error_output_writer;
};

class Launcher {
 public:
  Launcher();
  // `starved`: it failed for lack of processes, memory or descriptors, and may be done later.
  Result<LaunchedProcess> launch(const Command& command, bool& starved) const;

 private:
  BaseEnvironment base_;
  Descriptor nothing_;  // /dev/null: the input of a command that has none
};

}  // namespace hark
