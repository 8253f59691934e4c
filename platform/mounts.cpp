#include "platform/mounts.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "platform/loop.h"

namespace hark {
namespace {

constexpr auto kTable = "/proc/self/mountinfo";

// Space, tab, line end and backslash stand as three octal digits.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 3 < text.size()) {
      plain.push_back(static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0')));
      at += 3;
    } else {
      plain.push_back(text[at]);
    }
  }
  return plain;
}

bool is_below(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

std::vector<Mount> mounts_of(const std::string& root, std::string_view mountinfo) {
  std::vector<Mount> mounts(1);
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
    std::istringstream words(line);
    std::string word, path, type;
    words >> word >> word >> word >> word >> path;
    while (words >> word && word != "-") continue;
    if (!(words >> type)) continue;
    path = unescaped(path);
    // A later mount at the same place hides the one before.
    if (is_below(root, path) && path.size() >= mounts[0].path.size()) mounts[0] = {path, type};
    if (path == root || !is_below(path, root)) continue;
    std::erase_if(mounts, [&](const Mount& hidden) { return &hidden != &mounts[0] && is_below(hidden.path, path); });
    mounts.push_back({path, type});
  }
  if (mounts[0].path.empty()) mounts.clear();
  return mounts;
}

std::vector<Mount> mounts_of(const std::string& root) {
  std::ifstream file(kTable);
  return mounts_of(root, std::string(std::istreambuf_iterator<char>(file), {}));
}

// poll(2) tells it once a change: proc(5), /proc/mounts.
MountWatch::MountWatch(Loop& loop, std::function<void()> changed) : table_(open(kTable, O_RDONLY | O_CLOEXEC)) {
  if (table_) watch_ = loop.watch_exceptional(table_.get(), std::move(changed));
}
MountWatch::~MountWatch() = default;

Sharing sharing_of(std::string_view type) {
  constexpr std::array<std::string_view, 3> kLayers = {"overlay", "aufs", "unionfs"};
  constexpr std::array<std::string_view, 23> kMachines = {
      "nfs",  "nfs4",   "cifs",   "smb3", "smbfs",  "ncpfs",  "9p",      "afs",    "ceph",     "coda",   "gfs2", "ocfs2",
      "lustre", "gpfs", "beegfs", "orangefs", "pvfs2", "vboxsf", "vmhgfs", "prl_fs", "virtiofs", "drvfs", "fuse"};
  if (std::find(kLayers.begin(), kLayers.end(), type) != kLayers.end()) return Sharing::layers;
  // Not "fuseblk": a program's, too, but of a disk that is this machine's own (ntfs-3g).
  if (type.starts_with("fuse.") || std::find(kMachines.begin(), kMachines.end(), type) != kMachines.end()) return Sharing::machines;
  return Sharing::none;
}

}  // namespace hark
