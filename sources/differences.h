// What a scan of a tree found to be different from what was known. Paths are relative to the root. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/change_set.h"
#include "sources/file_table.h"

namespace hark {

struct FoundFile {
  std::string path;
  FileStamp stamp;
  bool complete = false;   // created: nobody is writing it (see Looked)
  bool untouched = false;  // created: its content is older than what is known of the tree
  std::int64_t changed_ns = 0;  // created: its ctime
};

struct Differences {
  bool nothing_lost = false;  // in: all events are in the queue or read, so that a file nobody has looked at yet is as it was
  std::vector<FoundFile> created;
  std::vector<std::string> modified;
  std::vector<FoundFile> removed;
  // What is known from now on, or not any more, only because other files are ignored now: no change.
  std::vector<FoundFile> came_into_sight;
  std::vector<FoundFile> went_out_of_sight;
};

// A file that went here and came there with the same inode, size and time was renamed.
void tell(const Differences& differences, ChangeSet& changes);

}  // namespace hark
