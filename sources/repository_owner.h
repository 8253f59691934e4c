// Whose repository hark may read. Pure.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"

namespace hark {

// May hark, running as `self`, read a repository that belongs to `owner`? `safe` is what git's own configuration lists as
// safe.directory (a path, "*", or "/folder/*").
//
// git's rule exists because git runs commands that a repository's configuration names (pager, fsmonitor, hooks, filters). Reading
// references, commits and trees with libgit2 runs none, so root may read any repository, and everybody root's. Beyond that hark
// asks for the same word that git asks for: a handler that runs git there would be refused without it, and later, where it is
// harder to see.
Status owner_status(const std::filesystem::path& repository, uid_t owner, uid_t self, const std::vector<std::string>& safe);

}  // namespace hark
