#include <doctest/doctest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "state/journal.h"
#include "tests/support/temporary_folder.h"

namespace hark {
namespace {

pid_t spawn(const std::string& program, const std::string& argument) {
  char* const arguments[] = {const_cast<char*>(program.c_str()), const_cast<char*>(argument.c_str()), nullptr};
  pid_t pid = 0;
  REQUIRE(posix_spawn(&pid, program.c_str(), nullptr, nullptr, arguments, environ) == 0);
  return pid;
}

std::uint64_t start_time_of(int pid) {
  // The one live owner of `pid` is found by asking for each possible number only in this test: the range is narrow.
  const auto self = this_process();
  for (std::uint64_t ticks = self.start_time; ticks < self.start_time + 1'000'000; ++ticks) {
    if (is_alive({self.boot_id, pid, ticks})) return ticks;
  }
  return 0;
}

TEST_CASE("owner: this process is alive, under its own boot, number and start only") {
  const auto self = this_process();
  CHECK(self.boot_id.size() == 36);
  CHECK(self.pid == getpid());
  CHECK(self.start_time > 0);
  CHECK(is_alive(self));

  auto other = self;
  other.boot_id = "00000000-0000-0000-0000-000000000000";
  CHECK_FALSE(is_alive(other));
  other = self;
  ++other.start_time;
  CHECK_FALSE(is_alive(other));
  CHECK_FALSE(is_alive(Owner{}));
  CHECK_FALSE(is_alive(Owner{self.boot_id, -1, self.start_time}));
}

TEST_CASE("owner: a program whose name holds parentheses and spaces is read right, and is dead once it has ended") {
  const test::TemporaryFolder folder;
  const auto program = folder / "a) S 1 (b";
  std::filesystem::copy_file("/bin/sleep", program);
  const auto pid = spawn(program, "1000");
  const auto started = start_time_of(pid);
  REQUIRE(started > 0);
  const Owner owner{this_process().boot_id, pid, started};
  CHECK(is_alive(owner));

  REQUIRE(kill(pid, SIGKILL) == 0);
  siginfo_t info{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
  CHECK_FALSE(is_alive(owner));  // a zombie: its number is still taken, but it does nothing any more
  REQUIRE(waitpid(pid, nullptr, 0) == pid);
  CHECK_FALSE(is_alive(owner));
}

}  // namespace
}  // namespace hark
