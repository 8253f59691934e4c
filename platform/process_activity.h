// Whether what this process started does anything. Blocks for about 20 µs a process below this one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>

namespace hark {

// Counts, not clocks: the scheduler's own time (se.exec_start) is another one on each CPU, and they drift apart by what a host steals.
class ProcessActivity {
 public:
  // Did a process below this one (its children, theirs, ...) begin, end, or run on a CPU since the last call? By the run time and the
  // time slices of its threads (proc_pid_schedstat). True where the kernel does not say (CONFIG_PROC_CHILDREN, CONFIG_SCHED_INFO).
  // One thread at a time.
  bool any();

 private:
  struct Ran {
    std::uint64_t nanoseconds = 0;
    std::uint64_t slices = 0;
    friend bool operator==(const Ran&, const Ran&) = default;
  };
  using Sample = std::map<pid_t, Ran>;
  static std::optional<Sample> sample();  // nullopt: the kernel does not tell of children
  static Ran ran(pid_t pid);

  std::optional<Sample> last_ = Sample{};
};

}  // namespace hark
