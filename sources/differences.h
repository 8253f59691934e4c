// What a scan of a tree found to be different from what was known. Paths are relative to the root. Plain values.
#pragma once

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
};

struct Differences {
  bool nothing_lost = false;  // in: all events are in the queue or read, so that a file nobody has looked at yet is as it was
  std::vector<FoundFile> created;
  std::vector<std::string> modified;
  std::vector<FoundFile> removed;
};

// A file that went here and came there with the same inode, size and time was renamed.
void tell(const Differences& differences, ChangeSet& changes);

}  // namespace hark
