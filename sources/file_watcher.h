// Source `file_change`: a folder tree (or one file) watched through inotify.
//
// Offers one event for all that was read together: data = {"root", "files": [absolute paths], "changes": [{"path" (relative),
// "kind": "create"|"modify"|"delete"|"rename", "from" (rename)}], "rescan": true where the tree was scanned anew}. Beside a "root",
// "path" or "from" that is no UTF-8, and therefore written with U+FFFD, "root_base64" and so on has the exact bytes.
// Subject: the one path, or the root. The kernel's queue overflowing, a folder moved away, the root vanishing: a rescan against
// what was known, its differences as an event, and a degraded state with its cure for as long as something is missing.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/glob.h"
#include "core/time.h"
#include "sources/source.h"

namespace hark {

class Clock;
class Loop;

struct FileWatcherOptions {
  std::string name;
  std::filesystem::path path;         // absolute
  std::vector<std::string> patterns;  // globs, "!x" excludes; empty: every file
  std::set<std::string> events = {"create", "modify", "delete", "rename"};
  bool ignore_vcs = true;                     // .git, .hg, .svn, .jj, CVS and what git ignores are not entered (ignore_files.h)
  std::vector<std::filesystem::path> ignore;  // never entered nor reported: hark's own journal and state files
  Duration gather{};                          // how long to collect before offering; 0: offer what each read brought
  friend bool operator==(const FileWatcherOptions&, const FileWatcherOptions&) = default;
};

std::unique_ptr<Source> make_file_watcher(FileWatcherOptions options, Loop& loop, const Clock& clock);

}  // namespace hark
