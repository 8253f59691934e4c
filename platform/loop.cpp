#include <utility>  // Asio 1.74 needs it before its own headers in C++20

#include "platform/loop.h"

#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace hark {
namespace asio = boost::asio;

namespace {

class AsioTimer final : public Timer {
 public:
  explicit AsioTimer(asio::io_context& context) : timer_(context) {}

  void at(SteadyTime when, std::function<void()> callback) override {
    // Setting the expiry cancels a wait under way, but one that already expired is queued and would still come: the
    // generation tells it that it is no longer wanted.
    const auto generation = ++*generation_;
    timer_.expires_at(when);
    timer_.async_wait([callback = std::move(callback), generation, current = generation_](boost::system::error_code error) {
      if (!error && *current == generation) callback();
    });
  }
  void cancel() override {
    ++*generation_;
    timer_.cancel();
  }
  ~AsioTimer() override { ++*generation_; }

 private:
  asio::steady_timer timer_;
  std::shared_ptr<std::uint64_t> generation_ = std::make_shared<std::uint64_t>(0);
};

class AsioReadableWatch final : public ReadableWatch {
 public:
  using Kind = asio::posix::descriptor_base::wait_type;
  AsioReadableWatch(asio::io_context& context, int fd, Kind kind, std::function<void()> callback)
      : watch_(std::make_shared<State>(context, fd, kind, std::move(callback))) {
    wait(watch_);
  }
  ~AsioReadableWatch() override {
    watch_->wanted = false;
    watch_->descriptor.release();  // not ours to close; leaves epoll here, not when the owner closes it
  }

 private:
  struct State {
    State(asio::io_context& context, int fd, Kind what, std::function<void()> on_readable)
        : descriptor(context, fd), kind(what), callback(std::move(on_readable)) {}
    asio::posix::stream_descriptor descriptor;
    Kind kind;
    std::function<void()> callback;
    bool wanted = true;
  };

  static void wait(const std::shared_ptr<State>& state) {
    state->descriptor.async_wait(state->kind, [state](boost::system::error_code error) {
      if (error || !state->wanted) return;
      state->callback();
      if (state->wanted) wait(state);
    });
  }

  std::shared_ptr<State> watch_;
};

}  // namespace

struct Loop::State {
  asio::io_context context{1};  // one thread runs it
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::shared_ptr<WallTimers> wall_timers;  // goes before the context, which it watches with
};

Loop::Loop() : state_(std::make_unique<State>()) {}
Loop::~Loop() = default;

void Loop::run() {
  state_->context.restart();
  state_->context.run();
}
void Loop::stop() { state_->context.stop(); }

bool Loop::run_once(Duration at_most) {
  state_->context.restart();
  if (state_->context.run_one_for(at_most) == 0) return false;
  state_->context.poll();
  return true;
}

void Loop::post(std::function<void()> callback) { asio::post(state_->context, std::move(callback)); }
std::unique_ptr<Timer> Loop::timer() { return std::make_unique<AsioTimer>(state_->context); }
std::unique_ptr<ReadableWatch> Loop::watch(int fd, std::function<void()> callback) {
  return std::make_unique<AsioReadableWatch>(state_->context, fd, asio::posix::descriptor_base::wait_read, std::move(callback));
}
std::unique_ptr<ReadableWatch> Loop::watch_exceptional(int fd, std::function<void()> callback) {
  return std::make_unique<AsioReadableWatch>(state_->context, fd, asio::posix::descriptor_base::wait_error, std::move(callback));
}
asio::io_context& Loop::context() { return state_->context; }
std::shared_ptr<WallTimers>& Loop::wall_timers() { return state_->wall_timers; }

}  // namespace hark
