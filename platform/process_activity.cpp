#include "platform/process_activity.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "platform/descriptor.h"
#include "platform/process_table.h"

namespace hark {
namespace {

std::vector<pid_t> descendants(const ProcessTable& table) {
  std::multimap<pid_t, pid_t> children;
  for (const auto& entry : table.entries) {
    if (entry.state != 'Z') children.emplace(entry.parent, entry.pid);
  }
  std::vector<pid_t> found{::getpid()};
  std::set<pid_t> seen{::getpid()};  // the table is read while it changes, and may show a circle
  for (std::size_t next = 0; next < found.size(); ++next) {
    const auto [first, last] = children.equal_range(found[next]);
    for (auto child = first; child != last; ++child) {
      if (seen.insert(child->second).second) found.push_back(child->second);
    }
  }
  found.erase(found.begin());
  return found;
}

// Milliseconds; negative: it does not say.
double last_ran(const std::string& task) {
  const Descriptor file(::open((task + "/sched").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> buffer;  // it is the third line
  const ssize_t got = file ? ::read(file.get(), buffer.data(), buffer.size()) : 0;
  if (got <= 0) return -1;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(got));
  auto at = text.find("se.exec_start");
  if (at == text.npos) return -1;
  at = text.find_first_of("0123456789", at);
  double milliseconds = -1;
  if (at != text.npos) (void)std::from_chars(text.data() + at, text.data() + text.size(), milliseconds);
  return milliseconds;
}

bool ran_since(pid_t pid, double milliseconds) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(tasks.c_str()), ::closedir);
  if (!folder) return true;  // it has just ended
  while (const auto* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] == '.') continue;
    const double ran = last_ran(tasks + "/" + entry->d_name);
    if (ran < 0 || ran >= milliseconds) return true;
  }
  return false;
}

}  // namespace

bool descendants_ran(Duration within) {
  const double now = last_ran("/proc/thread-self");  // it runs, and so tells the time of the scheduler's own clock
  if (now < 0) return true;
  const double since = now - std::chrono::duration<double, std::milli>(within).count();
  const auto pids = descendants(read_process_table());
  return std::any_of(pids.begin(), pids.end(), [since](pid_t pid) { return ran_since(pid, since); });
}

}  // namespace hark
