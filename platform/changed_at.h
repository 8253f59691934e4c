// When a file was changed last: its ctime, which no program can set (inode(7)). Any thread.
#pragma once

#include <optional>
#include <string>

#include "core/time.h"

namespace hark {

// nullopt: it is not there, or its file system may go by another machine's clock. Up to limits::kFileTimeGrain too early: the kernel
// stamps files by a clock that ticks.
std::optional<WallTime> changed_at(const std::string& path);

}  // namespace hark
