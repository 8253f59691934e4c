// Which files of a watched tree are meant, and which folders need to be entered at all. A pure value.
// Paths are relative to the watched root, '/'-separated, bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/glob.h"
#include "core/result.h"

namespace hark {

class FileSelection {
 public:
  struct Options {
    std::vector<std::string> patterns;  // globs, "!x" excludes; empty: every file
    bool ignore_vcs = true;             // .git, .hg, .svn, .jj, CVS; and what the tree's .gitignore files name is not meant
    std::vector<std::string> ignore;    // these paths and all below them
    std::string only;                   // the name of the one file watched; empty: the whole tree
  };
  static Result<FileSelection> parse(Options options);

  bool wants(std::string_view file) const;     // a file in a folder that is entered
  bool enters(std::string_view folder) const;  // a folder whose parents are entered
  bool reads_ignore_files() const { return options_.ignore_vcs && options_.only.empty(); }
  bool depends_on_folder() const { return !options_.patterns.empty() || !options_.ignore.empty(); }

 private:
  bool ignored(std::string_view path) const;

  Options options_;
  GlobSet globs_;
};

}  // namespace hark
