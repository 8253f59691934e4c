// A one-shot timer on the wall clock: rings when that clock reaches a time, however it gets there.
//
// All of one Loop share one timerfd on CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET (timerfd_create(2)), which is set to the earliest:
// they cost nothing while they wait, count the time the machine was suspended, and ring early when the clock is set, so that whoever
// waits can look at the clock again.
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
  // before, because it was set or the machine woke from suspend. Those that ring together do so in the order of their times; of very
  // many the rest follows when the loop has looked at its other work. Setting again replaces. The callback may set, cancel or destroy
  // this timer and any other.
  virtual void at(WallTime when, std::function<void()> callback) = 0;
  virtual void cancel() = 0;
};

// The error: no descriptor was left.
Result<std::unique_ptr<WallTimer>> make_wall_timer(Loop& loop);

}  // namespace hark
