// The daemon's one thread that decides: an event loop over Asio, which the HTTP listener brings anyway.
//
// Everything but post() and stop() is called on the loop's own thread. Callbacks never run from inside the call that sets them.
#pragma once

#include <functional>
#include <memory>

#include "core/result.h"
#include "core/time.h"

namespace boost::asio {
class io_context;
}

namespace hark {

class WallTimers;

// A one-shot timer. Setting it again replaces what was set. Destroying it cancels it.
class Timer {
 public:
  virtual ~Timer() = default;
  virtual void at(SteadyTime when, std::function<void()> callback) = 0;
  virtual void cancel() = 0;
};

// Watches one descriptor, which it does not own and which must outlive it. Destroying it stops the watching.
class ReadableWatch {
 public:
  virtual ~ReadableWatch() = default;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();                               // until stop()
  void stop();                              // any thread
  bool run_once(Duration at_most);          // for tests: waits for one callback, runs what is ready; false: nothing came
  void post(std::function<void()> callback);  // any thread; runs on the loop after what is already waiting

  std::unique_ptr<Timer> timer();
  // `callback` is called each time the descriptor is readable (level-triggered: it reads until EAGAIN).
  std::unique_ptr<ReadableWatch> watch(int fd, std::function<void()> callback);

  // The same for what poll(2) calls an exceptional condition (proc(5): the mount table changed).
  std::unique_ptr<ReadableWatch> watch_exceptional(int fd, std::function<void()> callback);

  boost::asio::io_context& context();         // for platform/http_server.cpp only
  std::shared_ptr<WallTimers>& wall_timers();  // what all of this loop share; for platform/wall_timer.cpp only, which makes it

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hark
