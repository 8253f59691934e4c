#include "sources/repository_pattern.h"

#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/limits.h"

namespace hark {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSigns = "*?[";

// glob(3) hands no context to its callback, and calls it on the thread that called.
thread_local std::vector<std::string>* unreadable_here = nullptr;

int note_unreadable(const char* path, int failure) {
  if (failure == EACCES) unreadable_here->emplace_back(path);
  return 0;
}

// Of "/srv/git/a*/x": "/srv/git".
fs::path fixed_part(const std::string& pattern) {
  std::string plain;
  for (std::size_t i = 0; i < pattern.size() && kSigns.find(pattern[i]) == kSigns.npos; ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    plain += pattern[i];
  }
  return fs::path(plain).parent_path();
}

}  // namespace

bool is_repository_pattern(std::string_view text) { return text.find_first_of(kSigns) != text.npos; }

std::string as_pattern(const fs::path& folder) {
  std::string pattern;
  for (const char c : folder.string()) {
    if (c == '\\' || kSigns.find(c) != kSigns.npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

bool looks_like_a_repository(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / ".git", error) || (fs::is_regular_file(folder / "HEAD", error) && fs::is_directory(folder / "refs", error));
}

Result<NamedRepositories> named_repositories(const std::string& pattern) {
  const auto folder = fixed_part(pattern);
  std::error_code error;
  if (!fs::is_directory(folder, error)) return Error{"there is no folder " + folder.string() + ", which " + pattern + " begins with", "make it, or mount what it lies on"};

  NamedRepositories named;
  glob_t found{};
  unreadable_here = &named.unreadable;
  const int failure = glob(pattern.c_str(), GLOB_NOSORT, note_unreadable, &found);
  for (std::size_t i = 0; failure == 0 && i < found.gl_pathc; ++i) {
    const fs::path path = found.gl_pathv[i];
    if (looks_like_a_repository(path)) {
      named.paths.push_back(path.string());
    } else if (fs::is_directory(path, error) && faccessat(AT_FDCWD, path.c_str(), R_OK | X_OK, AT_EACCESS) != 0) {
      named.unreadable.push_back(path.string());
    }
  }
  globfree(&found);
  if (failure != 0 && failure != GLOB_NOMATCH) return Error{"the repositories of " + pattern + " cannot be looked for", "see that its folders can be read"};
  if (named.paths.size() > limits::kGitRepositories) {
    return Error{pattern + " names more than " + std::to_string(limits::kGitRepositories) + " repositories", "spread them over several sources"};
  }
  std::sort(named.paths.begin(), named.paths.end());
  std::sort(named.unreadable.begin(), named.unreadable.end());
  return named;
}

}  // namespace hark
