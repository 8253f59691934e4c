// The daemon, wired: the only place that knows every stage. Its parts are built in the order in which events pass them and go in the
// reverse order.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "daemon/config.h"
#include "daemon/settings.h"

namespace hark {

struct DaemonOptions {
  std::vector<std::string> only_sources;   // --sources; empty: all
  std::filesystem::path socket;            // empty: socket_path(journal_file)
  // Reads the configuration again, as it was read for the start: for a reload. Called on the loop.
  std::function<ConfigOutcome()> load;
  std::vector<std::filesystem::path> files;  // that the settings were read from
  // Called once when sources run and sockets listen (or said why they cannot), with the warnings of the start.
  std::function<void(const std::vector<std::string>& warnings)> ready;
};

// Runs until it was drained (SIGTERM, SIGINT, `hark daemon stop`); a second signal ends it at once. SIGHUP reads the configuration again. An Error means it never began.
// Returns 0, or 128 + n when a second signal n ended it.
Result<int> run_daemon(const Settings& settings, const DaemonOptions& options);

}  // namespace hark
