#include "platform/launch_plan.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "core/byte_size.h"
#include "platform/errno_text.h"

namespace hark {
namespace {

namespace fs = std::filesystem;

bool is_program(const std::string& path) {
  struct stat status {};
  return access(path.c_str(), X_OK) == 0 && stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

bool is_within(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

std::string resolved(const std::string& path) {
  std::error_code failure;
  const auto found = fs::weakly_canonical(path, failure);
  return failure ? path : found.string();
}

void add_limits(const ResourceLimits& limits, std::vector<LaunchPlan::Step>& steps) {
  const auto add = [&](int which, const char* key, const std::string& shown, std::uint64_t soft, std::uint64_t hard) {
    steps.push_back({"rlimit=" + std::to_string(which) + ":" + std::to_string(soft) + ":" + std::to_string(hard), "limits." + std::string(key) + " = " + shown,
                     "the daemon's own limit may be lower: raise that (ulimit -H, or Limit...= of its unit), or ask for less"});
  };
  const auto add_size = [&](int which, const char* key, const std::optional<std::uint64_t>& bytes) {
    if (bytes) add(which, key, '"' + byte_size_text(*bytes) + '"', *bytes, *bytes);
  };
  const auto add_count = [&](int which, const char* key, const std::optional<std::uint64_t>& count) {
    if (count) add(which, key, std::to_string(*count), *count, *count);
  };
  if (limits.cpu) {
    const auto seconds = static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(*limits.cpu).count());
    // SIGXCPU, which says what it is, comes at the first bound, SIGKILL at the second.
    add(RLIMIT_CPU, "cpu", '"' + to_string(*limits.cpu) + '"', seconds, seconds + 1);
  }
  add_size(RLIMIT_AS, "memory", limits.memory);
  add_count(RLIMIT_NOFILE, "open_files", limits.open_files);
  add_count(RLIMIT_NPROC, "processes", limits.processes);
  add_size(RLIMIT_FSIZE, "file_size", limits.file_size);
  add_size(RLIMIT_CORE, "core", limits.core);
}

void add_user(const Containment& wanted, std::vector<LaunchPlan::Step>& steps) {
  constexpr auto kCure = "start hark as root, or give it the capabilities CAP_SETUID, CAP_SETGID and CAP_KILL";
  const bool another = wanted.user && wanted.user->uid != geteuid();
  if (another) {
    std::string groups;
    for (const gid_t group : wanted.user->groups) groups += (groups.empty() ? "" : ",") + std::to_string(group);
    steps.push_back({"groups=" + groups, "the groups of user = \"" + wanted.user->name + "\"", kCure});
  }
  if (wanted.group) {
    steps.push_back({"gid=" + std::to_string(wanted.group->gid), "group = \"" + wanted.group->name + "\"", kCure});
  } else if (another) {
    steps.push_back({"gid=" + std::to_string(wanted.user->gid), "the group of user = \"" + wanted.user->name + "\"", kCure});
  }
  if (another) steps.push_back({"uid=" + std::to_string(wanted.user->uid), "user = \"" + wanted.user->name + "\"", kCure});
}

// In the order of the kernel's rules: what takes a right comes before that right is given away, the user last.
std::vector<LaunchPlan::Step> steps_of(const Containment& wanted, const std::string& cgroup) {
  std::vector<LaunchPlan::Step> steps;
  if (!cgroup.empty()) steps.push_back({"cgroup=" + cgroup, "the command's cgroup " + cgroup, "the daemon's cgroup must be delegated to it (Delegate=yes)"});
  add_limits(wanted.limits, steps);
  if (wanted.nice) {
    steps.push_back({"nice=" + std::to_string(*wanted.nice), "nice = " + std::to_string(*wanted.nice), "below the daemon's own it takes root, or CAP_SYS_NICE"});
  }
  if (wanted.umask) steps.push_back({"umask=" + std::to_string(*wanted.umask), "umask", ""});
  add_user(wanted, steps);
  if (wanted.sandbox) {
    steps.push_back({"ignore-term", "sandbox", ""});
    steps.push_back({"hand-on", "sandbox", ""});
  }
  return steps;
}

// What of the file system the command sees, one mount over the other: the root to read, private places, then what it may write, and over
// that what is hark's own.
std::vector<std::string> sandbox_mounts(const Command& command, const Sandbox& sandbox, const std::string& folder, const std::string& helper, const OwnPlaces& own) {
  std::vector<std::string> words = {"--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run"};
  const auto add = [&](std::initializer_list<std::string> more) { words.insert(words.end(), more); };
  if (fs::is_directory("/var/tmp")) add({"--tmpfs", "/var/tmp"});
  if (sandbox.network) add({"--ro-bind-try", "/run/systemd/resolve", "/run/systemd/resolve"});  // /etc/resolv.conf leads there

  for (const auto& path : sandbox.readable) add({"--ro-bind", resolved(path), resolved(path)});
  std::vector<std::string> writable = {folder};
  for (const auto& path : sandbox.writable) writable.push_back(resolved(path));
  for (const auto& path : writable) add({"--bind", path, path});

  const auto in_a_writable = [&](const std::string& path) {
    return std::any_of(writable.begin(), writable.end(), [&](const std::string& each) { return is_within(path, each); });
  };
  // Another user is kept out of hark's folders by their modes, and where bwrap may not look it can mount nothing.
  const bool another = command.containment.user && command.containment.user->uid != geteuid();
  const auto state = own.state_folder.empty() ? std::string() : resolved(own.state_folder);
  const bool holds_a_writable = std::any_of(writable.begin(), writable.end(), [&](const std::string& path) { return is_within(path, state); });
  const bool is_writable = std::find(writable.begin(), writable.end(), state) != writable.end();
  if (!state.empty() && !is_writable && !(another && holds_a_writable)) {
    if (!another || in_a_writable(state)) add({"--tmpfs", state});
    for (const auto& path : writable) {
      if (is_within(path, state)) add({"--bind", path, path});  // a workspace
    }
  } else {
    for (const auto& file : own.state_files) {
      if (fs::is_directory(file)) continue;
      if (access(file.c_str(), F_OK) == 0) add({"--ro-bind", "/dev/null", resolved(file)});
    }
  }
  for (const auto& file : own.configuration) {
    if (in_a_writable(resolved(file))) add({"--ro-bind-try", resolved(file), resolved(file)});
  }
  if (!command.output_stem.empty() && !another) {
    const auto outputs = resolved(fs::path(command.output_stem).parent_path());
    add({"--ro-bind-try", outputs, outputs});
  }
  for (const auto& file : command.appended_files) add({"--bind-try", resolved(file), resolved(file)});
  add({"--ro-bind", helper, helper});
  return words;
}

Result<std::vector<std::string>> sandboxed(const Command& command, const Sandbox& sandbox, const std::string& helper, const OwnPlaces& own) {
  const auto bubblewrap = find_bubblewrap();
  if (bubblewrap.empty()) return Error{"sandbox = \"bubblewrap\": there is no bwrap in PATH", "apt install bubblewrap"};
  std::error_code failure;
  const auto folder = resolved(command.working_directory.empty() ? fs::current_path(failure).string() : command.working_directory);
  if (folder == "/") return Error{"sandbox = \"bubblewrap\": the working directory is /, which would be writable whole", "give the handler a working_directory"};
  std::vector<std::string> words = {bubblewrap,      "--die-with-parent", "--new-session", "--unshare-user",       "--unshare-ipc", "--unshare-pid",
                                    "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL"};
  if (!sandbox.network) words.push_back("--unshare-net");
  const auto mounts = sandbox_mounts(command, sandbox, folder, helper, own);
  words.insert(words.end(), mounts.begin(), mounts.end());
  const auto names_tmpdir = [](const auto& entry) { return entry.first == "TMPDIR"; };
  if (std::none_of(command.environment.begin(), command.environment.end(), names_tmpdir)) words.insert(words.end(), {"--unsetenv", "TMPDIR"});
  words.insert(words.end(), {"--chdir", folder, "--", helper, kLaunchVersion, "default-term", "reached", "--"});
  return words;
}

}  // namespace

Result<LaunchPlan> plan_launch(const Command& command, const std::string& program, const std::string& helper, const std::string& cgroup,
                               const OwnPlaces& own) {
  if (helper.empty()) {
    return Error{"cannot contain the command: hark-launch is neither beside hark nor in libexec/hark", "install hark whole: `cmake --install`"};
  }
  LaunchPlan plan;
  plan.steps = steps_of(command.containment, cgroup);
  plan.argv = {helper, kLaunchVersion};
  for (const auto& step : plan.steps) plan.argv.push_back(step.word);
  plan.argv.push_back("--");
  if (const auto& sandbox = command.containment.sandbox) {
    auto words = sandboxed(command, *sandbox, helper, own);
    if (!words) return words.error();
    plan.argv.push_back(words->front());  // the program, and then its own name
    plan.argv.insert(plan.argv.end(), words->begin(), words->end());
  }
  plan.argv.push_back(program);
  plan.argv.insert(plan.argv.end(), command.argv.begin(), command.argv.end());
  return plan;
}

Error LaunchPlan::error_of(const LaunchReport& report) const {
  if (report.word < 0 || static_cast<std::size_t>(report.word) >= steps.size()) {
    return {"hark-launch does not understand this hark: they are of two versions", "restart the daemon after an upgrade"};
  }
  const auto& step = steps[static_cast<std::size_t>(report.word)];
  return {"cannot set " + step.setting + ": " + errno_text(report.error), step.cure};
}

std::string find_launch_helper() {
  std::error_code failure;
  const auto self = fs::read_symlink("/proc/self/exe", failure).parent_path();
  if (failure) return {};
  for (const auto& place : {self / "hark-launch", self / HARK_LIBEXEC_FROM_BIN / "hark" / "hark-launch"}) {
    const auto path = place.lexically_normal().string();
    if (is_program(path)) return path;
  }
  return {};
}

std::string find_bubblewrap() {
  const char* value = std::getenv("PATH");
  const std::string_view path = value == nullptr ? "/usr/bin:/bin" : value;
  for (std::size_t start = 0; start <= path.size();) {
    const auto end = std::min(path.find(':', start), path.size());
    const auto candidate = std::string(path.substr(start, end - start)) + "/bwrap";
    if (candidate.front() == '/' && is_program(candidate)) return candidate;
    start = end + 1;
  }
  return {};
}

}  // namespace hark
