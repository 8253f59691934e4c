// How one tree is to be watched: what file_watcher decided at a start, for the source that does it. Plain values.
#pragma once

#include <memory>
#include <string>

#include "core/time.h"
#include "sources/file_selection.h"
#include "sources/file_watcher.h"

namespace hark {

class Source;

struct WatchPlan {
  enum class Way { notified, polled };
  Way way = Way::notified;
  std::string root;  // absolute
  FileSelection selection;
  bool is_new = false;       // it was not there when it was looked for first: all that it holds came since
  std::string tree;          // says which files these are: what is known of others is of no use (known_files.h)
  Duration look_through{};   // polled: the pause between two; notified: the same besides, 0: none
  std::string shared;        // the type of the file system that asks for it: "nfs4", "overlay"; empty: the user does
};

// Before a tree is looked through again that took so long.
Duration poll_pause(Duration wanted, Duration took);

// Told by the kernel (inotify, fanotify): at once.
std::unique_ptr<Source> make_notified_watcher(const FileWatcherOptions& options, WatchPlan plan, FileWatcherParts parts);
// Looked through by a worker thread, again and again: what changed since the last time.
std::unique_ptr<Source> make_polled_watcher(const FileWatcherOptions& options, WatchPlan plan, FileWatcherParts parts);

}  // namespace hark
