#include "platform/child_registry.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace {

// A child that has ended and waits to be reaped.
pid_t zombie() {
  const pid_t pid = fork();
  if (pid == 0) _exit(7);
  REQUIRE(pid > 0);
  siginfo_t info{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
  return pid;
}

bool is_reaped(pid_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
}

}  // namespace

TEST_CASE("child registry: an orphan that waits behind a command is reaped by its number, the command never") {
  hark::ChildRegistry children;
  children.starting();
  const pid_t command = zombie();
  children.started(command);
  const pid_t orphan = zombie();

  children.reap_orphans();
  CHECK_FALSE(is_reaped(command));

  children.starting();
  children.reap_orphan(orphan);
  CHECK_FALSE(is_reaped(orphan));  // it could be the command that is being started
  children.not_started();

  children.reap_orphan(orphan);
  CHECK(is_reaped(orphan));
  children.reap_orphan(orphan);  // somebody else was first

  children.reap_orphan(command);
  CHECK_FALSE(is_reaped(command));
  int status = 0;
  REQUIRE(waitpid(command, &status, 0) == command);
  children.ended(command);
  CHECK(WEXITSTATUS(status) == 7);
}
