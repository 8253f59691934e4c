// What stands in a folder, and what one entry of it is. Interprets nothing. Not for threads; one listing is filled again and again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "platform/descriptor.h"
#include "sources/file_table.h"

namespace hark {

enum class EntryKind : std::uint8_t { missing, file, folder, other };  // a symbolic link is a file; sockets, pipes and devices are `other`

struct Looked {
  EntryKind kind = EntryKind::missing;
  bool complete = false;  // nobody is creating it: a link, or a file with a second name (link(2) makes a file whole)
  FileStamp stamp;
  std::int64_t modified_ns = 0;  // mtime
  std::int64_t changed_ns = 0;   // ctime: of its content, its name or what else the inode says
};
// One lstat. `folder`: a descriptor, or AT_FDCWD with an absolute path.
Looked look(int folder, const char* path);

class FolderListing {
 public:
  struct Entry {
    std::uint64_t inode;  // as readdir(3) has it: not always lstat's where another file system is mounted
    std::uint32_t at;     // in names_
    EntryKind kind;
  };

  // In place of what it held. `follow`: a symbolic link to a folder is gone through. 0 or errno.
  int read(const std::string& path, bool follow);

  // Of the folder, until close() or the next read().
  int descriptor() const { return folder_.get(); }
  void close() { folder_.reset(); }
  const std::vector<Entry>& entries() const { return entries_; }
  const char* name(const Entry& entry) const { return names_.data() + entry.at; }
  std::size_t bytes_of_names() const { return names_.size(); }

 private:
  Descriptor folder_;
  std::vector<Entry> entries_;
  std::string names_;  // each with its NUL
};

}  // namespace hark
