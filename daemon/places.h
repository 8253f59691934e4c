// Where a daemon's companions stand: everything follows from the journal's place, so that every command finds the same.
#pragma once

#include <filesystem>

#include "daemon/settings.h"

namespace hark {

// "hark.sock" beside the journal; in the runtime directory, under a name made of the journal's path, where that would be too long
// for a Unix socket (107 bytes).
std::filesystem::path socket_path(const Settings& settings);
std::filesystem::path lock_path(const Settings& settings);
std::filesystem::path output_folder(const Settings& settings);  // large outputs of runs

}  // namespace hark
