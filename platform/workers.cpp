#include "platform/workers.h"

#include <system_error>
#include <utility>

#include "platform/thread.h"

namespace hark {

Workers::Workers(std::string name, std::size_t limit) : name_(std::move(name)), limit_(limit) { threads_.push_back(another()); }

Workers::~Workers() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Workers::post(std::function<void()> job) {
  std::unique_lock lock(mutex_);
  jobs_.push_back(std::move(job));
  if (idle_ >= jobs_.size() || threads_.size() >= limit_) {
    lock.unlock();  // first: whom it wakes would only wait for it
    wake_.notify_one();
    return;
  }
  try {
    threads_.push_back(another());
  } catch (const std::system_error&) {
    // No more threads for this user (RLIMIT_NPROC, a cgroup's pids.max): those that are there do it, one after the other.
    lock.unlock();
    wake_.notify_one();
  }
}

std::thread Workers::another() {
  return start_thread(name_, Scheduling::normal, [this] { work(); });
}

void Workers::set_limit(std::size_t limit) {
  std::lock_guard lock(mutex_);
  limit_ = limit;
}

void Workers::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it captured goes before the lock comes back
    lock.lock();
  }
}

}  // namespace hark
