// What the commands of a configuration can be contained by, here and now.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "daemon/settings.h"
#include "platform/process.h"

namespace hark {

// Before commands of these settings run: cgroups are made ready if any handler wants one, and sandboxes are told what is hark's own. Moves the
// daemon within its cgroup (platform/run_cgroup.h). Returns what will not hold as it is written, a line a handler, which
// begins with its name ("'deploy': ...").
std::vector<std::string> prepare_containment(const Settings& settings, const std::filesystem::path& socket, const std::vector<std::filesystem::path>& files,
                                             RealProcessSpawner& processes);

// Those lines again, without the reason.
std::vector<std::string> containment_shortfalls(const Settings& settings, const CgroupControllers& there);

}  // namespace hark
