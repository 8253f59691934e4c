#include "sources/file_selection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sources/tree_snapshot.h"

namespace hark {
namespace {

bool is_vcs(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kNames = {".git", ".hg", ".svn", ".jj", "CVS"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace

Result<FileSelection> FileSelection::parse(Options options) {
  auto globs = GlobSet::parse(options.patterns);
  if (!globs) return globs.error();
  FileSelection selection;
  selection.options_ = std::move(options);
  selection.globs_ = std::move(*globs);
  return selection;
}

bool FileSelection::wants(std::string_view file) const {
  if (!options_.only.empty() && file != options_.only) return false;
  // A `.git` that is a file (a worktree, a submodule) is no more the user's than the folder.
  if (options_.ignore_vcs && options_.only.empty() && is_vcs(last_segment(file))) return false;
  return !ignored(file) && globs_.matches(file);
}

bool FileSelection::enters(std::string_view folder) const {
  if (!options_.only.empty()) return false;
  if (options_.ignore_vcs && is_vcs(last_segment(folder))) return false;
  return !ignored(folder) && !globs_.prunes(folder);
}

bool FileSelection::ignored(std::string_view path) const {
  return std::any_of(options_.ignore.begin(), options_.ignore.end(), [path](std::string_view ignored) {
    return path.starts_with(ignored) && (path.size() == ignored.size() || path[ignored.size()] == '/');
  });
}

}  // namespace hark
