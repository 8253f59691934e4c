// The only place that reads a clock. Everything else is given a Now, or this interface where it must ask more than once.
#pragma once

#include "core/time.h"

namespace hark {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Now now() const = 0;  // any thread
};

// For platform/ itself, whose waits on the kernel no fake clock could move. Any thread.
inline SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

class SystemClock final : public Clock {
 public:
  Now now() const override;
};

}  // namespace hark
