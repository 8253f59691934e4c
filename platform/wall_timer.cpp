#include "platform/wall_timer.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "core/limits.h"
#include "platform/clock.h"
#include "platform/errno_text.h"
#include "platform/loop.h"

namespace hark {

// The one descriptor, and who waits for it. It belongs to the loop (Loop::wall_timers), so that nobody who makes a timer has to know
// of it and there are never two.
class WallTimers {
 public:
  // Of two with the same time the one that was set first comes first.
  using Place = std::pair<WallTime, std::uint64_t>;

  WallTimers(Loop& loop, int fd) : loop_(loop), fd_(fd), watch_(loop.watch(fd, [this] { ring(); })) {}
  ~WallTimers() {
    watch_.reset();
    ::close(fd_);
  }
  WallTimers(const WallTimers&) = delete;
  WallTimers& operator=(const WallTimers&) = delete;

  Place add(WallTime when, std::function<void()>& callback) {
    const Place place{when, ++added_};
    waiting_.emplace(place, &callback);
    arm();
    return place;
  }
  // Leaves the descriptor as it is: another may follow at once.
  void remove(const Place& place) {
    if (due_.erase(place) == 0) waiting_.erase(place);
  }

  // Sets the descriptor to the earliest, if that is another one now. While some are due already, the turn that ends them does.
  void arm() {
    if (!due_.empty()) return;
    const auto earliest = waiting_.empty() ? std::nullopt : std::optional(waiting_.begin()->first.first);
    if (armed_ == earliest) return;
    armed_ = earliest;
    if (set(earliest) || errno != ECANCELED) return;
    // The clock was set since the last call, and the kernel has said so here instead of to the next read.
    due_.merge(waiting_);
    if (!due_.empty()) post_turn();
  }

 private:
  using Queue = std::map<Place, std::function<void()>*>;

  void ring() {
    std::uint64_t times = 0;
    const auto got = ::read(fd_, &times, sizeof times);
    const bool rang = got == static_cast<ssize_t>(sizeof times);
    const bool clock_was_set = got < 0 && errno == ECANCELED;
    if (!rang && !clock_was_set) return;
    armed_.reset();
    if (clock_was_set) due_.merge(waiting_);
    if (!is_posted_) turn();
  }

  // What is set from inside a callback waits for a turn of its own, so that nobody who sets a time gone by keeps the others from theirs.
  void turn() {
    is_posted_ = false;
    if (due_.empty()) take_due(SystemClock().now().wall);
    for (std::size_t i = 0; i < limits::kWallTimersPerTurn && !due_.empty(); ++i) {
      const auto first = due_.extract(due_.begin());
      std::exchange(*first.mapped(), nullptr)();  // it may destroy its timer
    }
    due_.empty() ? arm() : post_turn();
  }

  void take_due(WallTime now) {
    while (!waiting_.empty() && waiting_.begin()->first.first <= now) due_.insert(due_.end(), waiting_.extract(waiting_.begin()));
  }

  void post_turn() {
    if (std::exchange(is_posted_, true)) return;
    loop_.post([this] { turn(); });
  }

  bool set(std::optional<WallTime> when) const {
    using namespace std::chrono;
    itimerspec spec{};
    if (when) {
      const auto since = std::max(when->time_since_epoch(), microseconds{1});  // zero would disarm it
      const auto whole = floor<seconds>(since);
      spec.it_value.tv_sec = static_cast<time_t>(whole.count());
      spec.it_value.tv_nsec = static_cast<long>(nanoseconds{since - whole}.count());
    }
    return ::timerfd_settime(fd_, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, nullptr) == 0;
  }

  Loop& loop_;
  const int fd_;
  Queue waiting_;
  Queue due_;  // these ring now, a turn's worth at a time
  std::uint64_t added_ = 0;
  std::optional<WallTime> armed_;  // what the descriptor is set to
  bool is_posted_ = false;         // a turn will come
  std::unique_ptr<ReadableWatch> watch_;
};

namespace {

class SharedTimer final : public WallTimer {
 public:
  explicit SharedTimer(WallTimers& all) : all_(all) {}
  ~SharedTimer() override { cancel(); }
  SharedTimer(const SharedTimer&) = delete;
  SharedTimer& operator=(const SharedTimer&) = delete;

  void at(WallTime when, std::function<void()> callback) override {
    forget();
    callback_ = std::move(callback);
    place_ = all_.add(when, callback_);
  }
  void cancel() override {
    forget();
    all_.arm();
  }

 private:
  void forget() {
    if (!callback_) return;  // it has rung, or was never set
    all_.remove(place_);
    callback_ = nullptr;
  }

  WallTimers& all_;
  WallTimers::Place place_;
  std::function<void()> callback_;
};

}  // namespace

Result<std::unique_ptr<WallTimer>> make_wall_timer(Loop& loop) {
  auto& all = loop.wall_timers();
  if (!all) {
    const int fd = ::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0) {
      return Error{"cannot make a timer: " + errno_text(errno),
                   "raise the limit of open files (LimitNOFILE, ulimit -n)"};
    }
    all = std::make_shared<WallTimers>(loop, fd);
  }
  return std::unique_ptr<WallTimer>(std::make_unique<SharedTimer>(*all));
}

}  // namespace hark
