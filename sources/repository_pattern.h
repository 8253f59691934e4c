// Which repositories a pattern names ("/srv/git/*.git"), as glob(7) has it: no sign crosses a slash. Blocks; any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace hark {

struct NamedRepositories {
  // Both sorted.
  std::vector<std::string> paths;
  std::vector<std::string> unreadable;  // folders that may be repositories, or hold some: this process may not look into them
};

// An error: more than limits::kGitRepositories, or a folder that stands before the first sign of the pattern and is not there. That is
// no pattern without repositories: a disk may not be mounted yet.
Result<NamedRepositories> named_repositories(const std::string& pattern);

bool is_repository_pattern(std::string_view text);

// A folder's name as a pattern that names just it.
std::string as_pattern(const std::filesystem::path& folder);

bool looks_like_a_repository(const std::filesystem::path& folder);

}  // namespace hark
