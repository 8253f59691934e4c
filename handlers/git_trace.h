// When the git commands of a run may have moved a branch, as git itself tells: trace2's events, one JSON object a line, appended to the file
// that GIT_TRACE2_EVENT names (git 2.22 and later; Documentation/technical/api-trace2.txt). Programs that do without git tell nothing.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/time.h"

namespace hark {

// The file of a run, in a folder of its own among the outputs; the folder is made. Empty: it cannot be.
std::filesystem::path prepare_git_trace(const std::filesystem::path& output_folder, const std::string& run_id);
std::filesystem::path git_trace_file(const std::filesystem::path& output_folder, const std::string& run_id);

// From when to when commands ran that can move a branch (commit, merge, push, ...); WallTime::max(): it has not ended. In a long trace
// only the last limits::kGitTrace bytes are read. Blocks; empty where there is no file.
std::vector<std::pair<WallTime, WallTime>> branch_moves(const std::filesystem::path& trace);

}  // namespace hark
