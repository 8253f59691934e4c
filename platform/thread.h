// A thread beside the loop: for what blocks.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace hark {

// Batch (sched(7)): runs at once where a processor is idle, but takes none away from the loop or from a handler's command when it
// wakes up. For threads that nobody waits for, or that mostly wait themselves.
enum class Scheduling { normal, batch };

// With all signals blocked, which stay with the loop. `name` (at most 15 characters) is what ps and gdb show. Throws std::system_error
// where no thread is to be had.
std::thread start_thread(const std::string& name, Scheduling scheduling, std::function<void()> body);

}  // namespace hark
