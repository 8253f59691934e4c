// Which file systems a tree lies on, by the kernel's mount table (proc(5), mountinfo). Any thread where it does not
// say otherwise; asks no file system, so that none that hangs is waited for.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/descriptor.h"

namespace hark {

class Loop;
class ReadableWatch;

struct Mount {
  std::string path;  // where it is mounted
  std::string type;  // "ext4", "nfs4", "fuse.sshfs"
  bool operator==(const Mount&) const = default;
};

// The one that the folder lies on, and behind it those mounted somewhere below it. `root`: absolute, without symbolic links. What cannot
// be read is none.
std::vector<Mount> mounts_of(const std::string& root);
std::vector<Mount> mounts_of(const std::string& root, std::string_view mountinfo);  // as the kernel writes it

// Tells that the mount table has changed. Loop thread only.
class MountWatch {
 public:
  MountWatch(Loop& loop, std::function<void()> changed);
  ~MountWatch();

 private:
  Descriptor table_;
  std::unique_ptr<ReadableWatch> watch_;
};

// Who changes files there without this kernel's knowledge.
enum class Sharing {
  none,
  layers,   // whoever writes to what it is made of: overlay
  machines  // a server, another machine, a program: NFS, SMB, 9p, FUSE
};
Sharing sharing_of(std::string_view type);

}  // namespace hark
