#include "platform/process_table.h"

#include <dirent.h>
#include <fcntl.h>

#include <array>
#include <charconv>
#include <memory>

#include "core/limits.h"
#include "platform/descriptor.h"

namespace hark {
namespace {

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return error == std::errc{};
}

// "PID (name) S PPID PGRP SESSION ..." with the start as field 22. The name may hold anything, brackets and spaces too: it ends
// at the last bracket.
bool parse_stat(std::string_view text, ProcessEntry& entry) {
  const auto open = text.find('('), shut = text.rfind(')');
  if (open == text.npos || shut == text.npos || shut < open || shut + 3 > text.size()) return false;
  entry.name = text.substr(open + 1, shut - open - 1);
  entry.state = text[shut + 2];
  std::string_view rest = text.substr(shut + 3);
  if (!take_number(text, entry.pid) || !take_number(rest, entry.parent) || !take_number(rest, entry.group) ||
      !take_number(rest, entry.session)) {
    return false;
  }
  std::int64_t skipped = 0;
  for (int field = 7; field < 22; ++field) {
    if (!take_number(rest, skipped)) return false;
  }
  return take_number(rest, entry.start);
}

std::string path_of(pid_t pid, const char* file) { return "/proc/" + std::to_string(pid) + "/" + file; }

}  // namespace

bool read_process(pid_t pid, ProcessEntry& entry) {
  const Descriptor file(open(path_of(pid, "stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return false;
  std::array<char, 2048> buffer;  // the line is shorter: 52 numbers and a name of at most 64 bytes
  const ssize_t got = read(file.get(), buffer.data(), buffer.size());
  return got > 0 && parse_stat({buffer.data(), static_cast<std::size_t>(got)}, entry);
}

pid_t newest_process() {
  const Descriptor file(open("/proc/loadavg", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> buffer;  // "0.20 0.18 0.12 1/80 11206"
  const ssize_t got = file ? read(file.get(), buffer.data(), buffer.size()) : 0;
  if (got <= 0) return 0;
  std::string_view text(buffer.data(), static_cast<std::size_t>(got));
  text.remove_prefix(text.rfind(' ') + 1);
  pid_t pid = 0;
  return take_number(text, pid) ? pid : 0;
}

ProcessTable read_process_table() {
  ProcessTable table;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  if (!folder) return table;
  std::vector<pid_t> pids;
  while (const dirent* item = readdir(folder.get())) {
    const std::string_view name = item->d_name;
    const char* const last = name.data() + name.size();
    pid_t pid = 0;
    if (const auto [end, error] = std::from_chars(name.data(), last, pid); error == std::errc{} && end == last)
      pids.push_back(pid);
  }
  // The kernel lists all numbers at one moment; the youngest are the likeliest to be gone soon.
  for (auto pid = pids.rbegin(); pid != pids.rend(); ++pid) {
    if (ProcessEntry entry; read_process(*pid, entry))
      table.entries.push_back(std::move(entry));
    else
      table.vanished.push_back(*pid);
  }
  return table;
}

std::string read_environment(pid_t pid) {
  std::string all;
  const Descriptor file(open(path_of(pid, "environ").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return all;
  std::array<char, 32 * 1024> buffer;
  while (all.size() < limits::kProcessEnvironment) {
    const ssize_t got = read(file.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return all;
}

bool has_entry(std::string_view environment, std::string_view entry) {
  for (std::size_t at = environment.find(entry); at != environment.npos; at = environment.find(entry, at + 1)) {
    const std::size_t end = at + entry.size();
    if ((at == 0 || environment[at - 1] == '\0') && (end == environment.size() || environment[end] == '\0')) return true;
  }
  return false;
}

bool has_variable(std::string_view environment, std::string_view name_and_equals) {
  for (std::size_t at = environment.find(name_and_equals); at != environment.npos;
       at = environment.find(name_and_equals, at + 1)) {
    if (at == 0 || environment[at - 1] == '\0') return true;
  }
  return false;
}

}  // namespace hark
