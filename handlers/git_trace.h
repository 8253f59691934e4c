// How the git commands of a run moved branches and tags, as git itself tells: the transactions of its references, one a line, appended to the file
// that GIT_TRACE_REFS names (git 2.30 and later, refs/debug.c). Programs that do without git tell nothing.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/ref_move.h"

namespace hark {

// The file of a run, in a folder of its own among the outputs; the folder is made. Empty: it cannot be.
std::filesystem::path prepare_git_trace(const std::filesystem::path& output_folder, const std::string& run_id);
std::filesystem::path git_trace_file(const std::filesystem::path& output_folder, const std::string& run_id);

// In their order. In a long trace only the last limits::kGitTrace bytes are read. Blocks; empty where there is no file.
std::vector<RefMove> ref_moves(const std::filesystem::path& trace);

}  // namespace hark
