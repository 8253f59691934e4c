#include "platform/thread.h"

#include <pthread.h>
#include <sched.h>

#include <csignal>
#include <utility>

namespace hark {
namespace {

// A thread inherits the mask of the one that makes it.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

std::thread start_thread(const std::string& name, Scheduling scheduling, std::function<void()> body) {
  const SignalsBlocked blocked;
  std::thread thread(std::move(body));
  pthread_setname_np(thread.native_handle(), name.c_str());
  if (scheduling == Scheduling::batch) {
    const sched_param no_priority{};
    (void)pthread_setschedparam(thread.native_handle(), SCHED_BATCH, &no_priority);  // where a sandbox refuses it, it is one like any other
  }
  return thread;
}

}  // namespace hark
