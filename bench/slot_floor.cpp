// The least that any scheduler does: sleeps until each second begins, and starts a program then.   slot_floor PROGRAM ARGUMENT
#include <spawn.h>
#include <sys/wait.h>

#include "bench/stamp.h"

extern char** environ;

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  timespec next{};
  clock_gettime(CLOCK_REALTIME, &next);
  next.tv_nsec = 0;
  while (true) {
    ++next.tv_sec;
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &next, nullptr);
    char* arguments[] = {argv[1], argv[2], nullptr};
    pid_t child = 0;
    if (posix_spawn(&child, argv[1], nullptr, nullptr, arguments, environ) != 0) bench::die("posix_spawn");
    waitpid(child, nullptr, 0);
  }
}
