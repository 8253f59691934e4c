// Whether what this process started has done anything lately. Blocks for about 10 µs a process.
#pragma once

#include "core/time.h"

namespace hark {

// Did a process below this one (its children, theirs, ...) run on a CPU within the last `within`? From se.exec_start in
// /proc/PID/task/TID/sched: milliseconds of the scheduler's clock. True where the kernel does not say (CONFIG_SCHED_DEBUG is off), and
// where one cannot be read; false when there is none.
bool descendants_ran(Duration within);

}  // namespace hark
