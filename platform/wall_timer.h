// A one-shot timer on the wall clock: rings when that clock reaches a time, however it gets there.
//
// A timerfd on CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET (timerfd_create(2)): it costs nothing while it waits, counts the time
// the machine was suspended, and rings early when the clock is set, so that whoever waits can look at the clock again.
#pragma once

#include <functional>
#include <memory>

#include "core/result.h"
#include "core/time.h"

namespace hark {

class Loop;

// Loop thread only. The Loop must outlive it. Destroying it cancels it.
class WallTimer {
 public:
  virtual ~WallTimer() = default;
  // `callback` runs once on the loop, never from inside at(): when the wall clock has reached `when` (at once, if it has), or
  // before, because it was set or the machine woke from suspend. Setting again replaces. The callback may set it, or destroy it.
  virtual void at(WallTime when, std::function<void()> callback) = 0;
  virtual void cancel() = 0;
};

// The error: no descriptor was left.
Result<std::unique_ptr<WallTimer>> make_wall_timer(Loop& loop);

}  // namespace hark
