// A circuit breaker: after so many failures in a row whoever fails is left alone for a while, then tried once; a success closes it.
// Pure: time is an argument.
#pragma once

#include <algorithm>
#include <optional>

#include "core/time.h"

namespace hark {

class Breaker {
 public:
  // `failures`: 0 never opens.
  Breaker(int failures, Duration cooldown) : most_(failures), cooldown_(cooldown) {}

  // What an earlier process had counted. Open no longer than a cooldown from now: the clock may have been set back since.
  void recall(int failures, std::optional<SteadyTime> open_until, SteadyTime now) {
    failures_ = failures;
    if (most_ == 0 || failures < most_ || !open_until) return;
    state_ = State::open;
    until_ = std::min(*open_until, now + cooldown_);
  }

  enum class State { closed, open, half_open };
  State state() const { return state_; }
  SteadyTime until() const { return until_; }  // of an open one: when it becomes half open

  // Each returns whether the state is another one now.
  bool failed(SteadyTime now) {
    ++failures_;
    const bool opens = state_ == State::half_open || (state_ == State::closed && most_ > 0 && failures_ >= most_);
    if (opens) {
      state_ = State::open;
      until_ = now + cooldown_;
    }
    return opens;
  }
  bool succeeded() {
    failures_ = 0;
    return change(State::closed);
  }
  bool wake(SteadyTime now) { return state_ == State::open && now >= until_ && change(State::half_open); }

  int failures() const { return failures_; }  // in a row

 private:
  bool change(State state) {
    const bool other = state_ != state;
    state_ = state;
    return other;
  }

  int most_;
  Duration cooldown_;
  int failures_ = 0;
  State state_ = State::closed;
  SteadyTime until_{};
};

}  // namespace hark
