#include "state/wal_sync.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "platform/clock.h"
#include "platform/errno_text.h"
#include "platform/thread.h"

namespace hark {
namespace {

WalSync::Known known(const std::string& name) {
  struct stat status {};
  (void)::stat(name.c_str(), &status);  // if it is gone already, no later look will find this inode either
  return {name, status.st_dev, status.st_ino};
}

}  // namespace

WalSync::WalSync(int fd, const std::string& journal, Sync sync)
    : fd_(fd), files_{known(journal), known(journal + "-wal")}, sync_(std::move(sync)) {}

WalSync::~WalSync() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  ::close(fd_);
}

void WalSync::measure(const Clock& clock, std::function<void(Duration took, std::size_t group)> measured) {
  clock_ = &clock;
  measured_ = std::move(measured);
}

void WalSync::request(std::function<void(Status)> durable) {
  if (!thread_.joinable()) {
    try {
      thread_ = start_thread("hark-sync", Scheduling::batch, [this] { work(); });
    } catch (const std::system_error&) {
      // No thread to be had just now: the caller waits for the disk itself, and the next request tries again.
    }
    if (!thread_.joinable()) return durable(sync_once(1));
  }
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(durable));
    if (waiting_.size() > 1) return;  // the thread was woken for the first of them
  }
  wake_.notify_one();
}

void WalSync::work() {
  std::vector<std::function<void(Status)>> served;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    served.swap(waiting_);
    lock.unlock();
    const auto status = sync_once(served.size());
    for (auto& durable : served) durable(status);
    served.clear();  // what they captured goes before the lock comes back
    lock.lock();
  }
}

// After a failed sync the kernel may have dropped the pages and called them clean, so a later success would say nothing about
// them: the failure stays until the journal is opened anew, when recovery reads what really is there.
Status WalSync::sync_once(std::size_t group) {
  if (auto failed = fault(); !failed) return failed;
  const auto began = measured_ ? clock_->now().steady : SteadyTime();
  int result = 0;
  do {
    result = sync_(fd_);
  } while (result != 0 && errno == EINTR);
  if (measured_) measured_(clock_->now().steady - began, group);
  Status done;
  if (result != 0) {
    done = Error{"cannot sync " + files_.back().name + ": " + errno_text(errno),
                 "look for disk errors in the kernel's log (dmesg), then restart hark"};
  }
  for (const auto& file : files_) {
    if (done) done = look(file);
  }
  if (!done) {
    std::lock_guard lock(mutex_);
    failed_ = done.error();
  }
  return done;
}

Status WalSync::fault() const {
  std::lock_guard lock(mutex_);
  return failed_ ? Status(*failed_) : Status();
}

// What is written to a file without a name, or beside one that took its name, is gone with this process.
Status WalSync::look(const Known& file) const {
  struct stat status {};
  if (::stat(file.name.c_str(), &status) == 0 && status.st_dev == file.device && status.st_ino == file.inode) return {};
  return Error{file.name + " was removed or replaced while in use", "restart hark, and leave the journal's files alone"};
}

}  // namespace hark
