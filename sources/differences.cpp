#include "sources/differences.h"

#include <cstdint>
#include <unordered_map>

namespace hark {
namespace {

bool is_same(const FileStamp& gone, const FoundFile& found) {
  return gone == found.stamp || (!gone.looked_at() && gone.inode == found.stamp.inode && found.untouched);
}

}  // namespace

void tell(const Differences& differences, ChangeSet& changes) {
  std::unordered_map<std::uint64_t, const FoundFile*> removed;
  for (const auto& file : differences.removed) {
    if (!removed.try_emplace(file.stamp.inode, &file).second) changes.removed(file.path);  // a second name of one file
  }
  for (const auto& path : differences.modified) changes.modified(path);
  for (const auto& file : differences.created) {
    const auto from = removed.find(file.stamp.inode);
    if (from != removed.end() && is_same(from->second->stamp, file)) {
      changes.renamed(from->second->path, file.path, false);
      removed.erase(from);
    } else {
      changes.created(file.path);
    }
  }
  for (const auto& [inode, file] : removed) changes.removed(file->path);
}

}  // namespace hark
