// Puts a subscriber on a thread of its own, behind a bounded queue: one that blocks (a terminal that was stopped, a slow disk)
// holds up nobody. When the queue is full the newest are dropped and counted, and the subscriber is told how many.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "core/lifecycle.h"
#include "core/limits.h"

namespace hark {

class Detached {
 public:
  using Wants = std::function<bool(const lifecycle::Any&)>;      // on the loop: what is not wanted is not even copied
  using OnDropped = std::function<void(std::uint64_t count)>;  // on the subscriber's thread

  Detached(Wants wants, lifecycle::Emitter::Subscriber subscriber, OnDropped on_dropped, std::size_t backlog = limits::kSubscriberBacklog);
  ~Detached();  // delivers what waits, joins
  Detached(const Detached&) = delete;
  Detached& operator=(const Detached&) = delete;

  void operator()(const lifecycle::Any& event);  // never blocks

 private:
  void work();

  const Wants wants_;
  const lifecycle::Emitter::Subscriber subscriber_;
  const OnDropped on_dropped_;
  const std::size_t backlog_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<lifecycle::Any> waiting_;  // guarded by mutex_
  std::uint64_t dropped_ = 0;           // guarded by mutex_
  bool stopping_ = false;               // guarded by mutex_
  std::thread thread_;
};

}  // namespace hark
