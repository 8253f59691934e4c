// A clock that stands still until it is told to go on.
#pragma once

#include <mutex>

#include "platform/clock.h"

namespace hark::test {

class FakeClock final : public Clock {
 public:
  Now now() const override {
    std::lock_guard lock(mutex_);
    return now_;
  }
  void advance(Duration by) {
    std::lock_guard lock(mutex_);
    now_.steady += by;
    now_.wall += std::chrono::duration_cast<std::chrono::microseconds>(by);
  }
  void set_wall(WallTime wall) {
    std::lock_guard lock(mutex_);
    now_.wall = wall;
  }

 private:
  mutable std::mutex mutex_;
  // The real steady time of its making: a real loop's timers that are set by it lie in the future, as they should.
  Now now_{WallTime{std::chrono::seconds{1'790'000'000}}, std::chrono::steady_clock::now()};
};

}  // namespace hark::test
