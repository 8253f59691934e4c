#include "platform/mounts.h"

#include <doctest/doctest.h>

using namespace hark;

namespace {

constexpr auto kTable =
    "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "30 22 0:26 / /mnt/nfs rw shared:1 master:2 - nfs4 server:/x rw,vers=4.2\n"
    "31 22 0:27 / /mnt/with\\040space rw - fuse.sshfs me@there: rw\n"
    "32 30 0:28 / /mnt/nfs/deep rw - tmpfs none rw\n"
    "33 22 0:29 / /mnt/nfsless rw - tmpfs none rw\n"
    "34 22 0:30 / /mnt/twice rw - nfs a:/ rw\n"
    "35 34 0:31 / /mnt/twice rw - tmpfs none rw\n"
    "broken line\n";

}  // namespace

TEST_CASE("mounts: of a folder the one it lies on, and those below it") {
  CHECK(mounts_of("/home/me", kTable) == std::vector<Mount>{{"/", "ext4"}});
  CHECK(mounts_of("/mnt/nfs", kTable) == std::vector<Mount>{{"/mnt/nfs", "nfs4"}, {"/mnt/nfs/deep", "tmpfs"}});
  CHECK(mounts_of("/mnt/nfs/a/b", kTable) == std::vector<Mount>{{"/mnt/nfs", "nfs4"}});
  CHECK(mounts_of("/mnt/with space/x", kTable) == std::vector<Mount>{{"/mnt/with space", "fuse.sshfs"}});
  CHECK(mounts_of("/mnt/twice", kTable) == std::vector<Mount>{{"/mnt/twice", "tmpfs"}});
  CHECK(mounts_of("/mnt", kTable).size() == 6);  // what is hidden by another at its place is not there
  CHECK(mounts_of("/x", "").empty());
}

TEST_CASE("mounts: this machine's own are read") {
  REQUIRE_FALSE(mounts_of("/proc").empty());
  CHECK(mounts_of("/proc").front() == Mount{"/proc", "proc"});
}

TEST_CASE("mounts: who changes files without this kernel's knowledge") {
  CHECK(sharing_of("ext4") == Sharing::none);
  CHECK(sharing_of("fuseblk") == Sharing::none);
  CHECK(sharing_of("overlay") == Sharing::layers);
  for (const auto* type : {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.bindfs", "virtiofs", "ceph"}) CHECK(sharing_of(type) == Sharing::machines);
}
