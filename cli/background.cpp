#include "cli/background.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "platform/errno_text.h"

namespace hark {

namespace {

// Until the daemon says that it is ready, or ends.
int wait_for_daemon(int report, pid_t child) {
  char word = 0;
  ssize_t count = 0;
  do {
    count = read(report, &word, 1);
  } while (count < 0 && errno == EINTR);
  close(report);
  if (count == 1) return 0;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<Background> Background::begin() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Error{"cannot go to the background: " + errno_text(errno), {}};
  const pid_t child = fork();
  if (child < 0) return Error{"cannot go to the background: " + errno_text(errno), {}};
  Background background;
  if (child > 0) {
    close(ends[1]);
    background.daemon_ = child;
    background.parent_exit_ = wait_for_daemon(ends[0], child);
    return background;
  }
  close(ends[0]);
  setsid();
  background.report_ = ends[1];
  return background;
}

void Background::ready() {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0) {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, fd);
    close(null);
  }
  const ssize_t told = write(report_, "r", 1);
  static_cast<void>(told);  // a parent that is gone needs no word
  close(report_);
}

}  // namespace hark
