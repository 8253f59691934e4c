// Source `file_change`: a folder tree (or one file) that is watched, and where that cannot be relied on looked through again and again.
//
// Offers one event for all that was found together: data = {"root", "files": [absolute paths], "changes": [{"path" (relative),
// "kind": "create"|"modify"|"delete"|"rename", "from" (rename)}], "rescan": true where the tree was scanned anew}. Beside a "root",
// "path" or "from" that is no UTF-8, and therefore written with U+FFFD, "root_base64" and so on has the exact bytes.
// Subject: the one path, or the root.
//
// Which way a tree is watched is decided at each start, by the options and by the file systems it lies on (platform/mounts.h): inotify;
// inotify, and looked through now and then besides (overlay, or a mount of another machine's files somewhere below); fanotify where it
// is asked for or the user's inotify watches are used up; only looked through (another machine's files).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/glob.h"
#include "core/time.h"
#include "sources/source.h"

namespace hark {

class Clock;
class Loop;
class Marks;
class Workers;

struct FileWatcherOptions {
  std::string name;
  std::filesystem::path path;         // absolute
  std::vector<std::string> patterns;  // globs, "!x" excludes; empty: every file
  std::set<std::string> events = {"create", "modify", "delete", "rename"};
  bool ignore_vcs = true;                     // .git, .hg, .svn, .jj, CVS and what git ignores are not entered (ignore_files.h)
  std::vector<std::filesystem::path> ignore;  // never entered nor reported: hark's own journal and state files
  Duration gather{};                          // how long to collect before offering; 0: offer what each read brought
  enum class Backend { automatic, inotify, fanotify, poll };
  Backend backend = Backend::automatic;
  std::optional<Duration> poll_interval;  // nullopt: limits::kPollInterval, or kLookThroughInterval beside a notifier
  Duration still_for{};                   // settle = "stable"; 0: settle = "write", a change counts when the file is closed
  bool catch_up = false;
  friend bool operator==(const FileWatcherOptions&, const FileWatcherOptions&) = default;
};

struct FileWatcherParts {
  Loop& loop;
  const Clock& clock;
  Workers& workers;
  Marks& marks;
};

std::unique_ptr<Source> make_file_watcher(FileWatcherOptions options, FileWatcherParts parts);

}  // namespace hark
