// The least a file watcher does: inotify says that a file was closed, posix_spawn starts the handler.   file_floor FOLDER PROGRAM ARGUMENT
#include <spawn.h>
#include <sys/inotify.h>
#include <sys/wait.h>

#include "bench/stamp.h"

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const int fd = inotify_init1(IN_CLOEXEC);
  if (inotify_add_watch(fd, argv[1], IN_CLOSE_WRITE) < 0) bench::die(argv[1]);
  std::puts("ready");
  std::fflush(stdout);
  alignas(inotify_event) char buffer[4096];
  while (read(fd, buffer, sizeof buffer) > 0) {
    char* words[] = {argv[2], argv[3], nullptr};
    pid_t child = 0;
    if (posix_spawn(&child, argv[2], nullptr, nullptr, words, environ) != 0) bench::die(argv[2]);
    waitpid(child, nullptr, 0);
  }
}
