#include "reporters/detached.h"

#include <utility>

#include "platform/thread.h"

namespace hark {

Detached::Detached(Wants wants, lifecycle::Emitter::Subscriber subscriber, OnDropped on_dropped, std::size_t backlog)
    : wants_(std::move(wants)), subscriber_(std::move(subscriber)), on_dropped_(std::move(on_dropped)), backlog_(backlog) {
  thread_ = start_thread("hark-report", Scheduling::batch, [this] { work(); });
}

Detached::~Detached() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Detached::operator()(const lifecycle::Any& event) {
  if (!wants_(event)) return;
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.size() >= backlog_) {
      ++dropped_;
      return;
    }
    first = waiting_.empty();
    waiting_.push_back(event);
  }
  if (first) wake_.notify_one();
}

void Detached::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    auto batch = std::exchange(waiting_, {});
    const auto dropped = std::exchange(dropped_, 0);
    lock.unlock();
    for (const auto& event : batch) {
      try {
        subscriber_(event);
      } catch (...) {  // the same promise as on the loop: a fault of one event does not end the next
      }
    }
    if (dropped != 0) on_dropped_(dropped);
    lock.lock();
  }
}

}  // namespace hark
