// hark-launch: what posix_spawn(3) cannot set between the fork and the exec. Started by hark alone (platform/launch_protocol.h).
// One thread, no memory, no library but libc: it is there for a millisecond in front of each contained command.
#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "platform/launch_protocol.h"

namespace {

using hark::LaunchReport;

void report(int word, int error) {
  const LaunchReport said{word, error};
  // Nobody else could be told that the pipe is gone.
  [[maybe_unused]] const auto ignored = write(hark::kLaunchReport, &said, sizeof said);
}

[[noreturn]] void fail(int word, int error) {
  report(word, error);
  _exit(hark::kLaunchFailed);
}

// Takes a number off the front of `text`, and `separator` behind it if there is one; EINVAL in errno where there is no number.
unsigned long long take_number(const char*& text, char separator) {
  char* end = nullptr;
  errno = 0;
  const auto number = std::strtoull(text, &end, 10);
  if (end == text || (*end != '\0' && *end != separator)) errno = EINVAL;
  text = *end == '\0' ? end : end + 1;
  return number;
}

int join_cgroup(const char* folder) {
  const int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int processes = at < 0 ? -1 : openat(at, "cgroup.procs", O_WRONLY | O_CLOEXEC);
  return processes >= 0 && write(processes, "0", 1) == 1 ? 0 : -1;
}

int limit(const char* text) {
  const auto which = take_number(text, ':');
  if (errno != 0) return -1;
  const auto soft = take_number(text, ':');
  if (errno != 0) return -1;
  const auto hard = take_number(text, ':');
  if (errno != 0) return -1;
  const rlimit bounds{soft, hard};
  return setrlimit(static_cast<__rlimit_resource>(which), &bounds);
}

int set_groups(const char* text) {
  static gid_t groups[NGROUPS_MAX];
  std::size_t count = 0;
  while (*text != '\0' && count < NGROUPS_MAX) {
    groups[count++] = static_cast<gid_t>(take_number(text, ','));
    if (errno != 0) return -1;
  }
  return setgroups(count, groups);
}

// 0, or -1 with errno; kMisunderstood is reported at once.
int carry_out(const char* word, bool& hand_on) {
  const char* value = std::strchr(word, '=');
  const auto name_length = value == nullptr ? std::strlen(word) : static_cast<std::size_t>(value - word);
  const auto is = [&](const char* name) { return std::strlen(name) == name_length && std::strncmp(word, name, name_length) == 0; };
  if (value == nullptr) {
    if (is("ignore-term")) return std::signal(SIGTERM, SIG_IGN) == SIG_ERR ? -1 : 0;
    if (is("default-term")) return std::signal(SIGTERM, SIG_DFL) == SIG_ERR ? -1 : 0;
    if (is("reached")) return report(LaunchReport::kReached, 0), 0;
    if (is("hand-on")) return hand_on = true, 0;
    fail(LaunchReport::kMisunderstood, EINVAL);
  }
  ++value;
  if (is("cgroup")) return join_cgroup(value);
  if (is("rlimit")) return limit(value);
  if (is("groups")) return set_groups(value);
  errno = 0;
  const long number = std::strtol(value, nullptr, 10);
  if (errno != 0) return -1;
  if (is("nice")) return setpriority(PRIO_PROCESS, 0, static_cast<int>(number));
  if (is("umask")) return umask(static_cast<mode_t>(number)), 0;
  if (is("gid")) return setresgid(static_cast<gid_t>(number), static_cast<gid_t>(number), static_cast<gid_t>(number));
  if (is("uid")) return setresuid(static_cast<uid_t>(number), static_cast<uid_t>(number), static_cast<uid_t>(number));
  fail(LaunchReport::kMisunderstood, EINVAL);
}

}  // namespace

int main(int count, char** arguments) {
  if (fcntl(hark::kLaunchReport, F_GETFD) < 0 || count < 3) {
    constexpr char kSaid[] = "hark-launch is started by hark, for commands that it is to contain\n";
    [[maybe_unused]] const auto ignored = write(STDERR_FILENO, kSaid, sizeof kSaid - 1);
    return hark::kLaunchFailed;
  }
  std::signal(SIGPIPE, SIG_IGN);  // a report that nobody reads any more; the default comes back before the exec
  if (std::strcmp(arguments[1], hark::kLaunchVersion) != 0) fail(LaunchReport::kMisunderstood, EPROTO);
  bool hand_on = false;
  int at = 2;
  for (; at < count && std::strcmp(arguments[at], "--") != 0; ++at) {
    if (carry_out(arguments[at], hand_on) != 0) fail(at - 2, errno);
  }
  if (at + 2 >= count) fail(LaunchReport::kMisunderstood, EINVAL);
  if (!hand_on) fcntl(hark::kLaunchReport, F_SETFD, FD_CLOEXEC);
  std::signal(SIGPIPE, SIG_DFL);
  execv(arguments[at + 1], arguments + at + 2);
  const int error = errno;
  std::signal(SIGPIPE, SIG_IGN);
  fail(LaunchReport::kExec, error);
}
