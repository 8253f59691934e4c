// Users and groups of this machine (getpwnam_r(3), getgrnam_r(3)), and whether this process may become one. Blocks: where the accounts
// stand in a directory (LDAP) the answer comes over the network. Any thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/result.h"

namespace hark {

struct UserAccount {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary ones, `gid` among them
  std::string home;
  std::string shell;
  friend bool operator==(const UserAccount&, const UserAccount&) = default;
};

struct UserGroup {
  std::string name;
  gid_t gid = 0;
  friend bool operator==(const UserGroup&, const UserGroup&) = default;
};

Result<UserAccount> find_user(const std::string& name);
Result<UserGroup> find_group(const std::string& name);

// A process that is what it is to become already always may. Another one's it takes root, or CAP_SETUID, CAP_SETGID, and CAP_KILL to end
// it (capabilities(7)).
Status may_become(const UserAccount& user);
Status may_become(const UserGroup& group);

}  // namespace hark
