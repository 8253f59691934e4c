#include "platform/process_activity.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "platform/descriptor.h"

namespace hark {
namespace {

std::vector<std::string> threads(pid_t pid) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task/";
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(tasks.c_str()), ::closedir);
  std::vector<std::string> found;
  while (const auto* entry = folder ? ::readdir(folder.get()) : nullptr) {
    if (entry->d_name[0] != '.') found.push_back(tasks + entry->d_name);
  }
  return found;
}

// The numbers in a file of /proc; nullopt: it cannot be read.
std::optional<std::vector<std::uint64_t>> numbers_in(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = ::read(file.get(), buffer, sizeof buffer)) > 0;) text.append(buffer, std::size_t(got));
  std::vector<std::uint64_t> numbers;
  std::istringstream words(text);
  for (std::uint64_t number = 0; words >> number;) numbers.push_back(number);
  return numbers;
}

}  // namespace

ProcessActivity::Ran ProcessActivity::ran(pid_t pid) {
  Ran sum;
  for (const auto& thread : threads(pid)) {
    const auto numbers = numbers_in(thread + "/schedstat");  // run time, time spent waiting for a CPU, slices
    if (!numbers || numbers->size() < 3) continue;           // it has just ended
    sum.nanoseconds += (*numbers)[0];
    sum.slices += (*numbers)[2];
  }
  return sum;
}

std::optional<ProcessActivity::Sample> ProcessActivity::sample() {
  Sample found;
  std::vector<pid_t> parents{::getpid()};
  while (!parents.empty()) {
    const auto parent = parents.back();
    parents.pop_back();
    for (const auto& thread : threads(parent)) {
      const auto children = numbers_in(thread + "/children");
      if (!children && parent == ::getpid()) return std::nullopt;
      for (const auto child : children.value_or(std::vector<std::uint64_t>{})) {
        if (found.try_emplace(pid_t(child), ran(pid_t(child))).second) parents.push_back(pid_t(child));
      }
    }
  }
  return found;
}

bool ProcessActivity::any() {
  auto now = sample();
  const bool told = now && std::none_of(now->begin(), now->end(), [](const auto& each) { return each.second == Ran{}; });
  const bool changed = now != last_;
  last_ = std::move(now);
  return !told || changed;
}

}  // namespace hark
