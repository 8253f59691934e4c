// A loop on a thread of its own, for tests that block on the other end of a socket.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <stdexcept>
#include <thread>

#include "platform/loop.h"

namespace hark::test {

class LoopThread {
 public:
  LoopThread() : thread_([this] { loop_.run(); }) {}
  ~LoopThread() {
    loop_.stop();
    thread_.join();
  }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  Loop& loop() { return loop_; }

  // Runs `work` on the loop and waits for it.
  void run(const std::function<void()>& work) {
    std::promise<void> done;
    loop_.post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  // Asks on the loop, again and again, until `condition` holds there; false: it did not in ten seconds.
  bool until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    bool holds = false;
    while (!holds && std::chrono::steady_clock::now() < end) {
      run([&] { holds = condition(); });
      std::this_thread::yield();
    }
    return holds;
  }

 private:
  Loop loop_;
  std::thread thread_;
};

}  // namespace hark::test
