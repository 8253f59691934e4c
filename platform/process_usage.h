// What this process takes of the machine. proc(5), getrusage(2).
#pragma once

#include <cstdint>

namespace hark {

struct ProcessUsage {
  double cpu_seconds = 0;             // of all threads, in user mode and in the kernel; without what it started
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t most_files = 0;       // the limit; 0: there is none
  std::uint64_t threads = 0;
};

// Any thread. What cannot be read is 0.
ProcessUsage process_usage();

}  // namespace hark
