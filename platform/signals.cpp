#include "platform/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace hark {

namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

}  // namespace

void block_signals(std::initializer_list<int> signals) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto set = set_of(signals);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Signals::Signals(Loop& loop, std::initializer_list<int> signals, std::function<void(int)> callback) {
  block_signals(signals);
  const auto set = set_of(signals);
  fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  watch_ = loop.watch(fd_, [fd = fd_, callback = std::move(callback)] {
    signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == ssize_t(sizeof info)) callback(int(info.ssi_signo));
  });
}

Signals::~Signals() {
  watch_.reset();
  close(fd_);
}

}  // namespace hark
