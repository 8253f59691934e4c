#include "platform/thread.h"

#include <doctest/doctest.h>
#include <pthread.h>
#include <sched.h>

#include <csignal>
#include <future>

namespace hark {
namespace {

struct Seen {
  bool term_blocked = false;
  int policy = -1;
  std::string name;
};

Seen seen_in(Scheduling scheduling) {
  std::promise<void> go;
  std::promise<Seen> seen;
  auto thread = start_thread("hark-test", scheduling, [&] {
    go.get_future().wait();  // name and scheduling are set by the one that starts it
    Seen here;
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    here.term_blocked = sigismember(&mask, SIGTERM) == 1;
    here.policy = sched_getscheduler(0);
    char name[16] = "";
    pthread_getname_np(pthread_self(), name, sizeof name);
    here.name = name;
    seen.set_value(here);
  });
  go.set_value();
  thread.join();
  return seen.get_future().get();
}

TEST_CASE("thread: signals are blocked in it, and not in the one that starts it") {
  CHECK(seen_in(Scheduling::normal).term_blocked);
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  CHECK(sigismember(&mask, SIGTERM) == 0);
}

TEST_CASE("thread: it has its name, and gives way where it is asked to") {
  CHECK(seen_in(Scheduling::batch).name == "hark-test");
  CHECK(seen_in(Scheduling::batch).policy == SCHED_BATCH);
  CHECK(seen_in(Scheduling::normal).policy == SCHED_OTHER);
}

}  // namespace
}  // namespace hark
