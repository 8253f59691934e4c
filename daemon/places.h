// Where a daemon's companions stand: everything follows from the journal's place, so that every command finds the same.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"
#include "daemon/settings.h"

namespace hark {

// "hark.sock" beside the journal; in the runtime directory, under a name made of the journal's path, where that would be too long
// for a Unix socket (107 bytes).
std::filesystem::path socket_path(const std::filesystem::path& journal_file);
// The folder of the journal, private, made where it is not there; one that hark makes itself (".hark") is none of a repository's files.
Status prepare_state_folder(const Settings& settings);
std::filesystem::path lock_path(const Settings& settings);
std::filesystem::path workspaces_folder(const Settings& settings);  // that hark makes for runs
std::filesystem::path output_folder(const Settings& settings);  // large outputs of runs
std::filesystem::path remotes_folder(const Settings& settings);  // large answers of remote repositories, while they are read

// Before a daemon listens there. Where the runtime directory is one of our own under /tmp it is made; an Error: it is not ours alone.
Status prepare_socket_folder(const std::filesystem::path& socket);

// The configuration and all that a daemon writes, by the key that says where.
struct OwnFiles {
  std::string key;  // empty: the configuration itself, which is read
  std::vector<std::filesystem::path> files;
  std::string name() const { return key.empty() ? "the configuration" : "`" + key + "`"; }
};
std::vector<OwnFiles> own_files(const Settings& settings);

// The files that this process's standard output and error go to.
std::vector<std::filesystem::path> redirected_output();

// Whether writing one would harm the other: the same file, also by a link, or one below the other.
bool in_each_others_way(const std::filesystem::path& a, const std::filesystem::path& b);
// Of a file that is to be written: whose it is already ("`journal_file`", "the configuration"), or empty.
std::string owner_of(const Settings& settings, const std::filesystem::path& file);

// What to tell the user when others may get at the folder of the journal; empty when all is well.
std::string open_folder_warning(const Settings& settings);

}  // namespace hark
