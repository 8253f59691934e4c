#include "platform/run_cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <memory>
#include <sstream>

#include "core/byte_size.h"
#include "core/limits.h"
#include "platform/clock.h"
#include "platform/descriptor.h"
#include "platform/errno_text.h"

namespace hark {
namespace {

constexpr std::string_view kLeaf = "/hark-daemon";
constexpr std::string_view kCommandPrefix = "hark-command-";  // then the daemon's process id, '-', a number
constexpr std::string_view kDelegateCure = "run hark as a service with Delegate=yes, or by `systemd-run --user --scope -p Delegate=yes hark daemon`";

// 0, or errno.
int write_file(const std::string& path, std::string_view text) {
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  return write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

std::string read_all(int file) {
  std::string all;
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; (got = read(file, buffer.data(), buffer.size())) > 0;) all.append(buffer.data(), static_cast<std::size_t>(got));
  return all;
}

std::string read_kernel_file(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file ? read_all(file.get()) : std::string();
}

CgroupControllers words_of(const std::string& text) {
  std::istringstream words(text);
  CgroupControllers found;
  for (std::string word; words >> word;) found.insert(word);
  return found;
}

// The number behind `key` in a file of "key number" lines (memory.events); 0: none.
std::uint64_t count_of(const std::string& text, std::string_view key) {
  std::istringstream words(text);
  std::string word;
  for (std::uint64_t number = 0; words >> word >> number;) {
    if (word == key) return number;
  }
  return 0;
}

std::vector<pid_t> processes_of(const std::string& folder) {
  std::istringstream numbers(read_kernel_file(folder + "/cgroup.procs"));
  std::vector<pid_t> found;
  for (pid_t pid = 0; numbers >> pid;) found.push_back(pid);
  return found;
}

std::vector<std::string> groups_below(const std::string& folder) {
  std::vector<std::string> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(folder.c_str()), closedir);
  while (const dirent* entry = listing ? readdir(listing.get()) : nullptr) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') found.push_back(folder + "/" + entry->d_name);
  }
  return found;
}

void kill_all_in(const std::string& folder) {
  if (write_file(folder + "/cgroup.kill", "1") == 0) return;
  // Linux before 5.14. Who forks meanwhile is met in the next round.
  for (const pid_t pid : processes_of(folder)) kill(pid, SIGKILL);
  for (const auto& below : groups_below(folder)) kill_all_in(below);
}

bool is_populated(int events) {
  lseek(events, 0, SEEK_SET);
  return count_of(read_all(events), "populated") != 0;
}

// The kernel tells by POLLPRI that the file has changed.
void kill_until_empty(const std::string& folder) {
  const Descriptor events(open((folder + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  const SteadyTime give_up = steady_now() + limits::kKillPatience;
  while (events && is_populated(events.get()) && steady_now() < give_up) {
    kill_all_in(folder);
    pollfd changed{events.get(), POLLPRI, 0};
    if (is_populated(events.get())) poll(&changed, 1, static_cast<int>(std::chrono::milliseconds(limits::kCgroupLook).count()));
  }
}

// 0, or errno. A command may have made groups in its own.
int remove_group(const std::string& folder) {
  for (const auto& below : groups_below(folder)) remove_group(below);
  return rmdir(folder.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

// systemd keeps to itself what it has not handed over, and says by this attribute what it has.
bool is_handed_over(const std::string& folder) {
  if (access("/run/systemd/system", F_OK) != 0) return true;
  return getxattr(folder.c_str(), "user.delegate", nullptr, 0) >= 0 || getxattr(folder.c_str(), "trusted.delegate", nullptr, 0) >= 0;
}

std::string cpu_quota(int percent) {
  constexpr int kPeriod = 100'000;  // microseconds: the kernel's own default
  return std::to_string(static_cast<std::int64_t>(percent) * (kPeriod / 100)) + " " + std::to_string(kPeriod);
}

bool has_user_of_its_own(const Containment& wanted) { return wanted.user && wanted.user->uid != 0 && wanted.user->uid != geteuid(); }

void lower_to(std::optional<std::uint64_t>& bound, std::uint64_t to) { bound = std::min(bound.value_or(to), to); }

}  // namespace

std::string cgroup_folder(std::string_view mountinfo, std::string_view memberships) {
  std::istringstream groups{std::string(memberships)};
  std::string path;
  for (std::string line; std::getline(groups, line);) {
    if (line.starts_with("0::/")) path = line.substr(3);
  }
  std::istringstream mounts{std::string(mountinfo)};
  for (std::string line; !path.empty() && std::getline(mounts, line);) {
    if (line.find(" - cgroup2 ") == line.npos) continue;
    std::istringstream words(line);
    std::string id, parent, device, root, at;
    if (!(words >> id >> parent >> device >> root >> at)) continue;
    if (root == "/") return path == "/" ? at : at + path;
    if (path == root) return at;
    if (path.starts_with(root + "/")) return at + path.substr(root.size());
  }
  return {};
}

CgroupControllers machine_controllers() {
  const auto root = cgroup_folder(read_kernel_file("/proc/self/mountinfo"), "0::/\n");
  return root.empty() ? CgroupControllers() : words_of(read_kernel_file(root + "/cgroup.controllers"));
}

Result<CgroupHome> CgroupHome::open() {
  auto folder = cgroup_folder(read_kernel_file("/proc/self/mountinfo"), read_kernel_file("/proc/self/cgroup"));
  if (folder.empty()) return Error{"cgroup v2 is not mounted here", "boot with systemd.unified_cgroup_hierarchy=1"};
  const bool in_leaf = folder.ends_with(kLeaf);
  if (in_leaf) folder.resize(folder.size() - kLeaf.size());

  CgroupControllers usable;
  for (const char* wanted : {"cpu", "memory", "pids"}) {
    if (words_of(read_kernel_file(folder + "/cgroup.controllers")).contains(wanted)) usable.insert(wanted);
  }
  if (usable.empty()) return Error{"the daemon's cgroup " + folder + " has none of the controllers memory, cpu, pids", std::string(kDelegateCure)};
  if (access(folder.c_str(), W_OK) != 0 || !is_handed_over(folder)) {
    return Error{"the daemon's cgroup " + folder + " is not delegated to it", std::string(kDelegateCure)};
  }

  // The topmost group has no cgroup.type, and may hold processes.
  const bool is_topmost = access((folder + "/cgroup.type").c_str(), F_OK) != 0;
  if (!in_leaf && !is_topmost) {
    const auto processes = processes_of(folder);
    if (std::any_of(processes.begin(), processes.end(), [](pid_t pid) { return pid != getpid(); })) {
      return Error{"the daemon's cgroup " + folder + " holds other processes too", std::string(kDelegateCure)};
    }
    const auto leaf = folder + std::string(kLeaf);
    int code = mkdir(leaf.c_str(), 0755) == 0 || errno == EEXIST ? 0 : errno;
    if (code == 0) code = write_file(leaf + "/cgroup.procs", "0");
    if (code != 0) return Error{"cannot move into the cgroup " + leaf + ": " + errno_text(code), std::string(kDelegateCure)};
  }
  std::string shared_out;
  for (const auto& controller : usable) shared_out += (shared_out.empty() ? "+" : " +") + controller;
  if (const int code = write_file(folder + "/cgroup.subtree_control", shared_out); code != 0) {
    return Error{"cannot share out " + shared_out + " of the cgroup " + folder + ": " + errno_text(code), std::string(kDelegateCure)};
  }
  CgroupHome home(std::move(folder), std::move(usable));
  home.remove_left();
  return home;
}

Result<CommandCgroup> CgroupHome::make(const CgroupLimits& limits) const {
  static std::atomic<std::uint64_t> number = 0;
  const auto folder = folder_ + "/" + std::string(kCommandPrefix) + std::to_string(getpid()) + "-" + std::to_string(++number);
  if (mkdir(folder.c_str(), 0755) != 0) return Error{"cannot make the cgroup " + folder + ": " + errno_text(errno), std::string(kDelegateCure)};
  CommandCgroup group(folder, limits);
  if (auto set = group.set_limits(controllers_); !set) return set.error();
  return group;
}

std::size_t CgroupHome::remove_left() const {
  std::size_t found = 0;
  for (const auto& folder : groups_below(folder_)) {
    const auto name = std::string_view(folder).substr(folder_.size() + 1);
    if (!name.starts_with(kCommandPrefix)) continue;
    pid_t owner = 0;
    const auto number = name.substr(kCommandPrefix.size());
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), owner);
    if (parsed.ec != std::errc{} || owner <= 0 || *parsed.ptr != '-') continue;
    if (kill(owner, 0) == 0 || errno == EPERM) continue;  // that daemon lives
    kill_until_empty(folder);
    remove_group(folder);
    ++found;
  }
  return found;
}

CommandCgroup::CommandCgroup(CommandCgroup&& other) noexcept : folder_(std::exchange(other.folder_, {})), limits_(other.limits_) {}

CommandCgroup& CommandCgroup::operator=(CommandCgroup&& other) noexcept {
  std::swap(folder_, other.folder_);
  std::swap(limits_, other.limits_);
  return *this;
}

CommandCgroup::~CommandCgroup() { end(); }

Status CommandCgroup::set_limits(const CgroupControllers& controllers) const {
  const auto set = [&](const char* controller, const std::string& file, const std::string& value) -> Status {
    const int code = controllers.contains(controller) ? write_file(folder_ + "/" + file, value) : 0;
    if (code == 0) return {};
    return Error{"cannot write " + value + " to " + folder_ + "/" + file + ": " + errno_text(code), std::string(kDelegateCure)};
  };
  Status done;
  if (limits_.memory_max) done = set("memory", "memory.max", std::to_string(*limits_.memory_max));
  // Half a command, without the one process that was the largest, is nobody's wish.
  if (done && limits_.memory_max) done = set("memory", "memory.oom.group", "1");
  if (done && limits_.cpu_max) done = set("cpu", "cpu.max", cpu_quota(*limits_.cpu_max));
  if (done && limits_.pids_max) done = set("pids", "pids.max", std::to_string(*limits_.pids_max));
  return done;
}

std::string CommandCgroup::end() {
  const auto folder = std::exchange(folder_, {});
  if (folder.empty()) return {};
  kill_until_empty(folder);
  std::string note;
  const auto add = [&](const std::string& clause) { note += (note.empty() ? "" : "; ") + clause; };
  if (limits_.memory_max && count_of(read_kernel_file(folder + "/memory.events"), "oom_kill") > 0) {
    add("was killed for using more than memory_max = \"" + byte_size_text(*limits_.memory_max) + "\"");
  }
  if (limits_.pids_max && count_of(read_kernel_file(folder + "/pids.events"), "max") > 0) {
    add("wanted more processes than pids_max = " + std::to_string(*limits_.pids_max));
  }
  if (const int code = remove_group(folder); code != 0) add("the cgroup " + folder + " could not be removed: " + errno_text(code));
  return note;
}

Containment made_up_for(Containment wanted, const CgroupControllers& there) {
  auto& limits = wanted.cgroup;
  if (limits.memory_max && !there.contains("memory")) {
    lower_to(wanted.limits.memory, *limits.memory_max);
    limits.memory_max.reset();
  }
  if (limits.pids_max && !there.contains("pids")) {
    if (has_user_of_its_own(wanted)) lower_to(wanted.limits.processes, *limits.pids_max);
    limits.pids_max.reset();
  }
  if (!there.contains("cpu")) limits.cpu_max.reset();
  return wanted;
}

std::vector<std::string> shortfalls(const Containment& wanted, const CgroupControllers& there) {
  std::vector<std::string> clauses;
  const auto lacks = [&](bool limited, const char* controller) { return limited && !there.contains(controller); };
  if (lacks(wanted.cgroup.memory_max.has_value(), "memory")) clauses.push_back("memory_max bounds the address space of each process instead of the memory of all");
  if (lacks(wanted.cgroup.cpu_max.has_value(), "cpu")) clauses.push_back("cpu_max has no effect");
  if (lacks(wanted.cgroup.pids_max.has_value(), "pids")) {
    clauses.push_back(has_user_of_its_own(wanted) ? "pids_max bounds all processes of user " + wanted.user->name + " together" : "pids_max has no effect without a `user` of its own");
  }
  return clauses;
}

}  // namespace hark
