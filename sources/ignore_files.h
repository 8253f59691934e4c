// What git ignores in a watched tree: the .gitignore of each folder, and where the tree lies in a repository also those of the folders
// above up to its top, its .git/info/exclude and the user's core.excludesFile (gitignore(5)). A repository inside the tree goes by its
// own rules. Outside of a repository the .gitignore files of the tree hold all the same.
//
// What stands above the root speaks only of what is below it: a root that is ignored itself is watched, as somebody named it.
// A file that git tracks although a rule names it is ignored here. Loop thread only; reading blocks for some microseconds a file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/git_ignore.h"

namespace hark {

struct Folder;

struct FolderRules {
  IgnoreRules own;               // .gitignore
  bool repository = false;       // the top of one: what is said above does not hold here
  IgnoreRules exclude;           // of the repository
};

class IgnoreFiles {
 public:
  static constexpr std::string_view kName = ".gitignore";
  static constexpr std::string_view kRepository = ".git";

  // Reads what is said above `root`, an absolute path.
  static IgnoreFiles above(const std::string& root);
  // Reads what the folder at `path` says: `has_rules`, `has_repository`: what stands in it. Null: nothing.
  std::unique_ptr<FolderRules> read(const std::string& path, bool has_rules, bool has_repository);

  // `path`: of an entry of `folder`, relative to the root, which the folders of the tree that are above it have let in.
  bool ignores(const Folder& folder, std::string_view path, bool is_folder) const;
  // The same, with `rules` in place of what `at` says.
  struct Instead {
    const Folder* at = nullptr;
    const FolderRules* rules = nullptr;
  };
  bool ignores(const Folder& folder, std::string_view path, bool is_folder, Instead instead) const;

  bool any() const { return any_; }  // there is a rule somewhere

 private:
  struct Above {
    std::string prefix;  // the root's path below the folder that says it, and a '/'
    IgnoreRules rules;
  };

  std::vector<Above> above_;  // the nearest first, the repository's exclude file last
  std::optional<std::string> top_;  // the root's path below the top of the repository it lies in, and a '/'
  std::optional<IgnoreRules> users_;  // read once it is needed
  bool any_ = false;
};

}  // namespace hark
