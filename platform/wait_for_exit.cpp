#include "platform/wait_for_exit.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "platform/errno_text.h"

namespace hark {

Status wait_for_exit(int pid) {
  const int fd = int(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) {
    if (errno == ESRCH) return {};
    return Error{"cannot wait for process " + std::to_string(pid) + ": " + errno_text(errno), {}};
  }
  pollfd ended{fd, POLLIN, 0};
  while (poll(&ended, 1, -1) < 0 && errno == EINTR) {
  }
  close(fd);
  return {};
}

}  // namespace hark
