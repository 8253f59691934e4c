#include "platform/wall_timer.h"

#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "platform/clock.h"
#include "platform/loop.h"

using namespace hark;
using namespace std::chrono;

namespace {

std::unique_ptr<WallTimer> timer_of(Loop& loop) {
  auto timer = make_wall_timer(loop);
  REQUIRE_MESSAGE(timer.ok(), timer.error().text());
  return std::move(timer).value();
}

void run_until(Loop& loop, const bool& done) {
  const SystemClock clock;
  const auto deadline = clock.now().steady + 20s;
  while (!done && clock.now().steady < deadline) loop.run_once(1s);
  REQUIRE(done);
}

// A field of proc_pid_fdinfo(5); empty: there is none.
std::string about_descriptor(int fd, const std::string& field) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(fd));
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with(field + ": ")) return line.substr(field.size() + 2);
  }
  return {};
}

// The timerfds of this process that are on the wall clock; the loop's own one is not.
std::vector<int> wall_descriptors() {
  std::vector<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    if (about_descriptor(fd, "clockid") == "0") found.push_back(fd);
  }
  return found;
}

// What the kernel has one set to, in seconds from now; 0: nothing.
long seconds_left(int fd) { return std::stol(about_descriptor(fd, "it_value").substr(1)); }

// From now on the kernel says of this thread's calls of `number` on `fd` that the clock was set, and does nothing else. A test that
// really sets it would set it for the whole machine.
bool say_clock_was_set(long number, int fd) {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(fd), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ECANCELED),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{std::size(rules), rules};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// Three timers of which the first is due at once, or in an hour; how many rang after the kernel has told in `number` that the clock was
// set. nullopt: the kernel would not play along.
std::optional<int> rings_when_told_by(long number, bool first_at_once) {
  std::optional<int> rings;
  std::thread([&] {
    Loop loop;
    const auto first = timer_of(loop), second = timer_of(loop), third = timer_of(loop);
    const int fd = wall_descriptors().at(0);
    const auto now = SystemClock().now();
    int rung = 0;
    const auto ring = [&] {
      if (++rung == 3) loop.stop();
    };
    second->at(now.wall + 2h, ring);
    third->at(WallTime::max(), ring);
    if (!say_clock_was_set(number, fd)) return;
    first->at(first_at_once ? now.wall : now.wall + 1h, ring);
    CHECK(rung == 0);
    const auto patience = loop.timer();
    patience->at(now.steady + 20s, [&] { loop.stop(); });
    loop.run();
    rings = rung;
  }).join();
  return rings;
}

}  // namespace

TEST_CASE("wall timer: it rings once, not before its time") {
  Loop loop;
  const SystemClock clock;
  const auto timer = timer_of(loop);
  int rings = 0;
  bool done = false;
  const auto when = clock.now().wall + 30ms;
  timer->at(when, [&] {
    ++rings;
    CHECK(clock.now().wall >= when);
    done = true;
  });
  run_until(loop, done);
  CHECK_FALSE(loop.run_once(50ms));
  CHECK(rings == 1);
}

TEST_CASE("wall timer: a time gone by rings at once, but on the loop") {
  Loop loop;
  const auto timer = timer_of(loop);
  for (const WallTime when : {WallTime{}, WallTime{-1h}, WallTime::min(), SystemClock().now().wall}) {
    bool done = false;
    timer->at(when, [&] { done = true; });
    CHECK_FALSE(done);
    run_until(loop, done);
  }
}

TEST_CASE("wall timer: setting it again replaces, cancelling silences") {
  Loop loop;
  const auto timer = timer_of(loop);
  bool first = false, second = false;
  timer->at(WallTime{}, [&] { first = true; });
  timer->at(WallTime{}, [&] { second = true; });
  run_until(loop, second);
  CHECK_FALSE(first);
  timer->at(WallTime{}, [&] { first = true; });
  timer->cancel();
  CHECK_FALSE(loop.run_once(50ms));
  CHECK_FALSE(first);
  timer->at(WallTime::max(), [&] { first = true; });  // no overflow, no ring
  CHECK_FALSE(loop.run_once(50ms));
  CHECK_FALSE(first);
}

TEST_CASE("wall timer: its callback may set it again, and destroy it") {
  Loop loop;
  auto timer = timer_of(loop);
  int rings = 0;
  bool done = false;
  std::function<void()> again = [&] {
    if (++rings < 3) {
      timer->at(WallTime{}, again);
    } else {
      timer.reset();
      done = true;
    }
  };
  timer->at(WallTime{}, again);
  run_until(loop, done);
  CHECK(rings == 3);
}

TEST_CASE("wall timer: many ring in the order of their times, those of the same time in the order they were set") {
  Loop loop;
  const auto start = SystemClock().now().wall + 30ms;
  std::vector<std::unique_ptr<WallTimer>> timers;
  std::vector<int> rung;
  bool done = false;
  const auto set = [&](int number, WallTime when) {
    timers.push_back(timer_of(loop));
    timers.back()->at(when, [&rung, &done, number] {
      rung.push_back(number);
      done = rung.size() == 6;
    });
  };
  set(4, start + 20ms);
  set(1, start);
  set(5, start + 20ms);
  set(0, WallTime{});
  set(2, start);
  set(3, start + 10ms);
  run_until(loop, done);
  CHECK(rung == std::vector{0, 1, 2, 3, 4, 5});
}

TEST_CASE("wall timer: thousands share one descriptor, all ring, and the loop's other work comes in between") {
  constexpr std::size_t kMany = 5000;
  Loop loop;
  std::vector<std::unique_ptr<WallTimer>> timers;
  std::size_t rung = 0, at_first_post = 0, posts = 0;
  bool done = false;
  std::function<void()> other_work = [&] {
    if (posts++ == 0) at_first_post = rung;
    if (!done) loop.post(other_work);
  };
  const auto when = SystemClock().now().wall + 50ms;
  while (timers.size() < kMany) timers.push_back(timer_of(loop));
  for (const auto& timer : timers) {
    timer->at(when, [&] {
      if (rung++ == 0) loop.post(other_work);
      done = rung == kMany;
    });
  }
  CHECK(wall_descriptors().size() == 1);
  run_until(loop, done);
  CHECK(at_first_post > 0);
  CHECK(at_first_post < kMany / 10);
  CHECK(posts > 10);
  CHECK(rung == kMany);
}

TEST_CASE("wall timer: the descriptor is set to the earliest that is left") {
  Loop loop;
  const auto early = timer_of(loop), late = timer_of(loop);
  REQUIRE(wall_descriptors().size() == 1);
  const int fd = wall_descriptors().at(0);
  const auto now = SystemClock().now().wall;
  const auto about = [&](int hours) { return seconds_left(fd) > hours * 3600 - 60 && seconds_left(fd) <= hours * 3600; };
  late->at(now + 3h, [] {});
  CHECK(about(3));
  early->at(now + 1h, [] {});
  CHECK(about(1));
  late->at(now + 4h, [] {});
  CHECK(about(1));
  early->at(now + 2h, [] {});
  CHECK(about(2));
  early->cancel();
  CHECK(about(4));
  late->cancel();
  CHECK(seconds_left(fd) == 0);
}

TEST_CASE("wall timer: a callback may cancel, destroy and set others that are due with it") {
  Loop loop;
  auto first = timer_of(loop), cancelled = timer_of(loop), destroyed = timer_of(loop), replaced = timer_of(loop), last = timer_of(loop);
  std::vector<std::string> rung;
  bool done = false;
  const auto when = SystemClock().now().wall + 20ms;
  first->at(when, [&] {
    rung.push_back("first");
    cancelled->cancel();
    destroyed.reset();
    replaced->at(when, [&] {
      rung.push_back("replaced");
      done = true;
    });
  });
  cancelled->at(when, [&] { rung.push_back("cancelled"); });
  destroyed->at(when, [&] { rung.push_back("destroyed"); });
  replaced->at(when, [&] { rung.push_back("not replaced"); });
  last->at(when, [&] { rung.push_back("last"); });
  run_until(loop, done);
  CHECK(rung == std::vector<std::string>{"first", "last", "replaced"});
  CHECK_FALSE(loop.run_once(20ms));
}

TEST_CASE("wall timer: one that sets itself to a time gone by, over and over, keeps nobody from ringing") {
  Loop loop;
  const auto restless = timer_of(loop), other = timer_of(loop);
  int rings = 0;
  std::function<void()> again = [&] {
    ++rings;
    restless->at(WallTime::min(), again);
  };
  restless->at(WallTime::min(), again);
  other->at(SystemClock().now().wall + 20ms, [&] {
    CHECK(rings > 1);
    loop.stop();
  });
  loop.run();
  restless->cancel();
  CHECK_FALSE(loop.run_once(20ms));
}

TEST_CASE("wall timer: when the clock is set, all that wait ring") {
  SUBCASE("told by the read that follows") {
    const auto rings = rings_when_told_by(SYS_read, true);
    if (rings) CHECK(*rings == 3);
  }
  SUBCASE("told to whoever sets another one") {
    const auto rings = rings_when_told_by(SYS_timerfd_settime, false);
    if (rings) CHECK(*rings == 3);
  }
}
