#include "platform/changed_at.h"

#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>

namespace hark {
namespace {

// statfs(2), <linux/magic.h>: what keeps its files on this machine. Not NFS, SMB, FUSE, 9p and what else asks a server for the time.
constexpr std::array<long, 7> kLocal = {0xEF53 /* ext2, 3, 4 */, 0x58465342 /* XFS */, 0x9123683E /* Btrfs */, 0x01021994 /* tmpfs */,
                                        0x794c7630 /* overlay */, 0xF2F52010 /* F2FS */, 0x2fc12fc1 /* ZFS */};

}  // namespace

std::optional<WallTime> changed_at(const std::string& path) {
  struct stat status;
  struct statfs place;
  if (lstat(path.c_str(), &status) != 0) return std::nullopt;
  // A link's own file system is that of its folder; following it here may find another local one, which does no harm.
  if (statfs(path.c_str(), &place) != 0 || std::find(kLocal.begin(), kLocal.end(), static_cast<long>(place.f_type)) == kLocal.end()) return std::nullopt;
  return WallTime{std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::seconds(status.st_ctim.tv_sec) +
                                                                        std::chrono::nanoseconds(status.st_ctim.tv_nsec))};
}

}  // namespace hark
