// pidfd_open(2) and pidfd_send_signal(2). Straight to the kernel: glibc 2.36's <sys/pidfd.h> forgets extern "C".
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "platform/descriptor.h"

namespace hark {

// Readable once the process has ended. Empty, with errno, where there is none or no descriptor is left.
inline Descriptor open_pidfd(pid_t pid) { return Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

// 0, or -1 with errno.
inline int signal_pidfd(const Descriptor& pidfd, int number) {
  return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0));
}

}  // namespace hark
