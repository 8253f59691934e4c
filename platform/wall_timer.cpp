#include "platform/wall_timer.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "platform/errno_text.h"
#include "platform/loop.h"

namespace hark {
namespace {

class TimerfdTimer final : public WallTimer {
 public:
  TimerfdTimer(Loop& loop, int fd) : fd_(fd), watch_(loop.watch(fd, [this] { ring(); })) {}
  ~TimerfdTimer() override {
    watch_.reset();
    ::close(fd_);
  }
  TimerfdTimer(const TimerfdTimer&) = delete;
  TimerfdTimer& operator=(const TimerfdTimer&) = delete;

  void at(WallTime when, std::function<void()> callback) override {
    callback_ = std::move(callback);
    set(when);
  }
  void cancel() override {
    callback_ = nullptr;
    const itimerspec never{};
    ::timerfd_settime(fd_, 0, &never, nullptr);
  }

 private:
  void set(WallTime when) {
    using namespace std::chrono;
    const auto since = std::max(when.time_since_epoch(), microseconds{1});  // zero would disarm it
    const auto whole = floor<seconds>(since);
    itimerspec spec{};
    spec.it_value.tv_sec = static_cast<time_t>(whole.count());
    spec.it_value.tv_nsec = static_cast<long>(nanoseconds{since - whole}.count());
    if (::timerfd_settime(fd_, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, nullptr) == 0 || errno != ECANCELED) return;
    // The clock was set since the last call, and the kernel has said so here instead of to the next read: ring at once.
    spec.it_value = {0, 1};
    ::timerfd_settime(fd_, TFD_TIMER_ABSTIME, &spec, nullptr);
  }

  void ring() {
    std::uint64_t times = 0;
    const auto got = ::read(fd_, &times, sizeof times);
    const bool rang = got == static_cast<ssize_t>(sizeof times);
    const bool clock_was_set = got < 0 && errno == ECANCELED;
    if (!rang && !clock_was_set) return;
    if (auto callback = std::exchange(callback_, nullptr)) callback();  // last: it may destroy this timer
  }

  const int fd_;
  std::function<void()> callback_;
  std::unique_ptr<ReadableWatch> watch_;
};

}  // namespace

Result<std::unique_ptr<WallTimer>> make_wall_timer(Loop& loop) {
  const int fd = ::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) {
    return Error{"cannot make a timer: " + errno_text(errno),
                 "raise the limit of open files (LimitNOFILE, ulimit -n)"};
  }
  return std::unique_ptr<WallTimer>(std::make_unique<TimerfdTimer>(loop, fd));
}

}  // namespace hark
