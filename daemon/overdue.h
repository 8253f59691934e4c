// A dead man's switch: says when a handler with `expect_every` has not succeeded for that long, whatever the reason (nothing started it,
// it failed, it is paused), and again each time as much has passed. Loop thread only.
//
// Counted from the start of the last successful run; where there was none, from when hark first knew that one is expected (both in
// state.json). Told as lifecycle::HandlerOverdue, and where the handler has `on_overdue` as an event to that handler: type
// "handler:overdue", source "hark", data = {"handler", "expect_every", "last_success" (or null), "since", "missed"}; its dedupe_key
// names the moment, so that a restart does not tell it again (for as long as keys are remembered).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/lifecycle.h"
#include "core/time.h"
#include "handlers/handler.h"

namespace hark {

class Clock;
class Engine;
class Loop;
class Timer;

// How many windows of `expect_every` have passed since `since` without a success.
std::int64_t windows_missed(WallTime since, Duration expect_every, WallTime now);

class OverdueWatch {
 public:
  OverdueWatch(Loop& loop, const Clock& clock, Engine& engine, lifecycle::Emitter& emitter);
  ~OverdueWatch();

  void check();  // at the start and after a reload; from then on it does so by itself

 private:
  void tell(const Handler& handler, WallTime since, std::int64_t missed);

  const Clock& clock_;
  Engine& engine_;
  lifecycle::Emitter& emitter_;
  std::unique_ptr<Timer> timer_;
  std::map<std::string, WallTime> told_;  // by handler: the end of the window that was told last
};

// For the status: since when it counts as overdue; nullopt: it does not.
std::optional<WallTime> overdue_since(const Handler& handler, const Engine& engine, WallTime now);

}  // namespace hark
