#include "sources/folder_listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace hark {
namespace {

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

EntryKind kind_of(int folder, const dirent64& entry) {
  switch (entry.d_type) {
    case DT_DIR: return EntryKind::folder;
    case DT_REG:
    case DT_LNK: return EntryKind::file;
    case DT_UNKNOWN: return look(folder, entry.d_name).kind;
    default: return EntryKind::other;
  }
}

}  // namespace

Looked look(int folder, const char* path) {
  struct stat found;
  if (fstatat(folder, path, &found, AT_SYMLINK_NOFOLLOW) != 0) return {};
  Looked looked;
  looked.modified_ns = nanoseconds(found.st_mtim);
  looked.changed_ns = nanoseconds(found.st_ctim);
  looked.stamp = FileStamp::of(static_cast<std::uint64_t>(found.st_size), looked.modified_ns, found.st_ino);
  looked.kind = EntryKind::other;
  if (S_ISDIR(found.st_mode)) looked.kind = EntryKind::folder;
  if (S_ISREG(found.st_mode) || S_ISLNK(found.st_mode)) looked.kind = EntryKind::file;
  looked.complete = S_ISLNK(found.st_mode) || found.st_nlink > 1;
  return looked;
}

int FolderListing::read(const std::string& path, bool follow) {
  entries_.clear();
  names_.clear();
  folder_.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW)));
  if (!folder_) return errno;
  alignas(dirent64) char buffer[32 * 1024];  // what readdir(3) takes
  for (;;) {
    const auto length = getdents64(folder_.get(), buffer, sizeof buffer);
    if (length < 0) return errno;
    if (length == 0) return 0;
    for (std::size_t at = 0; at < static_cast<std::size_t>(length);) {
      const auto& entry = *reinterpret_cast<const dirent64*>(buffer + at);
      at += entry.d_reclen;
      const std::string_view name = entry.d_name;
      if (name == "." || name == "..") continue;
      entries_.push_back({entry.d_ino, static_cast<std::uint32_t>(names_.size()), kind_of(folder_.get(), entry)});
      names_.append(name).push_back('\0');
    }
  }
}

}  // namespace hark
