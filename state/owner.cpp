#include <unistd.h>

#include <charconv>
#include <system_error>

#include "platform/file_system.h"
#include "state/journal.h"

namespace hark {
namespace {

constexpr std::uint64_t kProcFile = 4096;  // larger than any of the two files read here

std::string boot_id() {
  RealFileSystem files;
  auto text = files.read("/proc/sys/kernel/random/boot_id", kProcFile);
  if (!text || !text.value()) return {};
  auto id = std::move(**text);
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

// Field 22 of /proc/PID/stat, proc_pid_stat(5): clock ticks from the boot to the start of the process. The second field is the
// name of the program in parentheses and may itself hold spaces and parentheses: counting starts at the last ')'.
// nullopt: no such process, or one that has ended and only waits for its parent to look.
std::optional<std::uint64_t> start_time_of(int pid) {
  RealFileSystem files;
  const auto text = files.read("/proc/" + std::to_string(pid) + "/stat", kProcFile);
  if (!text || !text.value()) return std::nullopt;
  std::string_view rest = **text;
  const auto name_end = rest.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= rest.size()) return std::nullopt;
  rest.remove_prefix(name_end + 2);
  if (rest.front() == 'Z' || rest.front() == 'X') return std::nullopt;
  for (int field = 3; field < 22; ++field) {
    const auto space = rest.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(space + 1);
  }
  std::uint64_t ticks = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), ticks);
  return error == std::errc() && end != rest.data() ? std::optional(ticks) : std::nullopt;
}

}  // namespace

Owner this_process() {
  const int pid = ::getpid();
  return {boot_id(), pid, start_time_of(pid).value_or(0)};
}

bool is_alive(const Owner& owner) {
  if (owner.pid <= 0 || owner.boot_id != boot_id()) return false;
  return start_time_of(owner.pid) == owner.start_time;
}

}  // namespace hark
