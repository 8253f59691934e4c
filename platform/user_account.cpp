#include "platform/user_account.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/limits.h"
#include "core/printable.h"
#include "platform/errno_text.h"

namespace hark {
namespace {

// One call of getpwnam_r or getgrnam_r, with a buffer as large as it takes.
template <class Record, class Lookup>
int read_record(Lookup lookup, const std::string& name, Record& record, std::vector<char>& buffer, bool& found) {
  Record* result = nullptr;
  int code = 0;
  for (buffer.resize(4096); (code = lookup(name.c_str(), &record, buffer.data(), buffer.size(), &result)) == ERANGE && buffer.size() < limits::kAccountRecord;) {
    buffer.resize(buffer.size() * 2);
  }
  found = result != nullptr;
  return code;
}

Error unknown(const std::string& what, const std::string& name, int code, const std::string& cure) {
  const auto shown = what + " '" + printable(name, limits::kShownValue) + "'";
  // Several codes mean "not found" (getpwnam(3)).
  if (code == 0 || code == ENOENT || code == ESRCH || code == EBADF || code == EPERM) return {"there is no " + shown, cure};
  return {"cannot look up the " + shown + ": " + errno_text(code), "try again"};
}

bool may_be_anyone() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0) return false;
  constexpr auto kNeeded = 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_KILL;
  return (sets[0].effective & kNeeded) == kNeeded;
}

Error may_not(const std::string& whom) {
  return {"hark runs as user " + std::to_string(geteuid()) + " here and may not become " + whom,
          "start hark as root, or give it the capabilities CAP_SETUID, CAP_SETGID and CAP_KILL"};
}

}  // namespace

Result<UserAccount> find_user(const std::string& name) {
  passwd record{};
  std::vector<char> buffer;
  bool found = false;
  const int code = read_record(getpwnam_r, name, record, buffer, found);
  if (!found) return unknown("user", name, code, "`getent passwd` lists those that there are");
  UserAccount user{name, record.pw_uid, record.pw_gid, {}, record.pw_dir, record.pw_shell};
  int count = 64;
  do {
    user.groups.resize(static_cast<std::size_t>(count));
  } while (getgrouplist(name.c_str(), user.gid, user.groups.data(), &count) < 0 && count <= limits::kAccountGroups);
  user.groups.resize(static_cast<std::size_t>(count));
  return user;
}

Result<UserGroup> find_group(const std::string& name) {
  ::group record{};
  std::vector<char> buffer;
  bool found = false;
  const int code = read_record(getgrnam_r, name, record, buffer, found);
  if (!found) return unknown("group", name, code, "`getent group` lists those that there are");
  return UserGroup{name, record.gr_gid};
}

Status may_become(const UserAccount& user) {
  if (user.uid == geteuid() || may_be_anyone()) return {};
  return may_not("user '" + user.name + "'");
}

Status may_become(const UserGroup& group) {
  if (group.gid == getegid() || may_be_anyone()) return {};
  return may_not("group '" + group.name + "'");
}

}  // namespace hark
