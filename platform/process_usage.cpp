#include "platform/process_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace hark {
namespace {

std::uint64_t entries_of(const char* folder) {
  std::error_code ignored;
  const std::filesystem::directory_iterator entries(folder, ignored);
  return std::uint64_t(std::distance(begin(entries), end(entries)));
}

double seconds(const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) / 1e6; }

}  // namespace

ProcessUsage process_usage() {
  ProcessUsage usage;
  rusage used{};
  if (getrusage(RUSAGE_SELF, &used) == 0) usage.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  std::uint64_t virtual_pages = 0, resident_pages = 0;
  if (std::ifstream("/proc/self/statm") >> virtual_pages >> resident_pages) {
    const auto page = std::uint64_t(sysconf(_SC_PAGESIZE));
    usage.virtual_bytes = virtual_pages * page;
    usage.resident_bytes = resident_pages * page;
  }
  if (const auto listed = entries_of("/proc/self/fd"); listed > 0) usage.open_files = listed - 1;  // one is the listing's own
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) usage.most_files = limit.rlim_cur;
  usage.threads = entries_of("/proc/self/task");
  return usage;
}

}  // namespace hark
