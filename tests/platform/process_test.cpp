#include "platform/process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/limits.h"
#include "platform/process_activity.h"
#include "platform/process_table.h"
#include "tests/support/eventually.h"
#include "tests/support/temporary_folder.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::eventually;
using End = ProcessResult::End;

namespace {

constexpr Duration kGrace = 150ms;

SteadyTime in(Duration from_now) { return std::chrono::steady_clock::now() + from_now; }

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream all;
  all << file.rdbuf();
  return all.str();
}

Command shell(const std::string& script) {
  Command command;
  command.argv = {"/bin/sh", "-c", script};
  return command;
}

struct Fixture {
  hark::test::TemporaryFolder folder;
  RealProcessSpawner spawner{kGrace};

  ProcessResult run(const Command& command) {
    auto result = spawner.run(command, in(60s), {});
    if (!result) FAIL("not started: " << result.error().text());
    return std::move(*result);
  }

  // Runs a script that writes pids into files in $D, cancels it once all `pidfiles` are there, and expects every one to be gone.
  ProcessResult cancel_once_up(const std::string& script, const std::vector<std::string>& pidfiles) {
    Command command = shell(script);
    command.environment = {{"D", folder.path().string()}};
    command.run_id = "run-" + folder.path().filename().string();
    std::stop_source stop;
    std::jthread watcher([&] {
      eventually([&] {
        for (const auto& name : pidfiles) {
          if (!read_file(folder / name).ends_with('\n')) return false;
        }
        return true;
      });
      stop.request_stop();
    });
    auto result = spawner.run(command, in(120s), stop.get_token());
    REQUIRE(result.ok());
    CHECK(result->end == End::cancelled);
    for (const auto& name : pidfiles) {
      const pid_t pid = std::stoi(read_file(folder / name));
      INFO(name, " ", pid, " note: ", result->note);
      CHECK(kill(pid, 0) == -1);
      CHECK(errno == ESRCH);
    }
    return std::move(*result);
  }
};

std::size_t own_zombies() {
  std::size_t count = 0;
  for (const auto& entry : read_process_table().entries) count += entry.parent == getpid() && entry.state == 'Z';
  return count;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "process: output, error output and exit status come back") {
  const auto result = run(shell("echo out; echo err >&2; exit 3"));
  CHECK(result.end == End::exited);
  CHECK(result.code == 3);
  CHECK(result.output.head == "out\n");
  CHECK(result.output.bytes == 4);
  CHECK(result.output.file.empty());
  CHECK(result.error_output.head == "err\n");
  CHECK(result.note.empty());
}

TEST_CASE_FIXTURE(Fixture, "process: what is masked stands neither in the output nor in its file, however it was written") {
  Command command = shell("printf 'a s3c'; printf 'no s3cre' >&2; /bin/true; printf 'ret b'; head -c 400000 /dev/zero | tr '\\0' 'x'; echo s3cret");
  command.output_stem = (folder.path() / "out").string();
  command.mask = Mask({"s3cret"});
  const auto result = run(command);
  const auto whole = "a *** b" + std::string(400000, 'x') + "***\n";
  CHECK(result.output.bytes == whole.size());
  CHECK(read_file(result.output.file) == whole);
  CHECK(result.output.head == whole.substr(0, limits::kOutputInMemory));
  CHECK(result.error_output.head == "no s3cre");
}

TEST_CASE_FIXTURE(Fixture, "process: one that ends by a signal reports 128 plus its number") {
  const auto result = run(shell("kill -9 $$"));
  CHECK(result.end == End::signalled);
  CHECK(result.code == 137);
}

TEST_CASE_FIXTURE(Fixture, "process: standard input arrives whole, also when it is far larger than a pipe, and may stay unread") {
  Command command;
  command.input.assign(5'000'000, 'x');
  command.argv = {"sh", "-c", "cat | wc -c"};
  CHECK(run(command).output.head == "5000000\n");
  command.argv = {"true"};
  CHECK(run(command).code == 0);
}

TEST_CASE_FIXTURE(Fixture, "process: without input standard input is empty, not the daemon's") {
  Command command;
  command.argv = {"cat"};
  const auto result = run(command);
  CHECK(result.code == 0);
  CHECK(result.output.bytes == 0);
}

TEST_CASE_FIXTURE(Fixture, "process: arguments are never looked at by a shell") {
  Command command;
  command.argv = {"printf", "%s|", "$(touch x)", "a b", ";", "", "'\"", "-n"};
  CHECK(run(command).output.head == "$(touch x)|a b|;||'\"|-n|");
}

TEST_CASE(
    "process: an inherited environment is the daemon's with the command's over it, later entries winning, less what is the service "
    "manager's") {
  setenv("HARK_TEST_KEPT", "kept", 1);
  setenv("HARK_TEST_OVER", "daemon", 1);
  setenv("NOTIFY_SOCKET", "/run/x", 1);
  setenv("LISTEN_FDS", "1", 1);
  setenv("WATCHDOG_USEC", "1", 1);
  RealProcessSpawner spawner;
  for (const char* name : {"HARK_TEST_KEPT", "HARK_TEST_OVER", "NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC"}) unsetenv(name);

  Command command;
  command.argv = {"env"};
  command.environment = {{"HARK_TEST_OVER", "first"}, {"NEW", "1"}, {"NEW", "2 = 3"}, {"HARK_TEST_OVER", "last"}};
  command.run_id = "R1";
  command.containment.environment.inherit = true;
  const auto result = spawner.run(command, in(60s), {});
  REQUIRE(result.ok());
  const std::string text = "\n" + result->output.head;
  for (const char* line : {"\nHARK_TEST_KEPT=kept\n", "\nHARK_TEST_OVER=last\n", "\nNEW=2 = 3\n", "\nHARK_RUN_ID=R1\n"}) {
    CHECK_MESSAGE(text.find(line) != text.npos, line);
  }
  for (const char* name : {"NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC", "=first", "=daemon", "NEW=1"})
    CHECK(text.find(name) == text.npos);
}

TEST_CASE_FIXTURE(Fixture,
                  "process: the child has descriptors 0 to 2 only, a group of its own, no blocked and no ignored signals") {
  const int leak = open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  REQUIRE(leak > 2);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto old = std::signal(SIGPIPE, SIG_IGN);
  Command command;
  command.argv = {"grep", "-E", "^(SigBlk|SigIgn|NSpgid|Pid):", "/proc/self/status"};
  const std::string text = run(command).output.head;
  command.argv = {"ls", "/proc/self/fd"};
  const std::string descriptors = run(command).output.head;
  std::signal(SIGPIPE, old);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  close(leak);
  INFO(text);
  CHECK(descriptors == "0\n1\n2\n3\n");  // 3 is the folder ls reads
  CHECK(text.find("SigBlk:\t0000000000000000") != text.npos);
  CHECK(text.find("SigIgn:\t0000000180000000") != text.npos);  // 32 and 33 are glibc's own
  const auto number = [&](const std::string& name) { return std::stoi(text.substr(text.find(name) + name.size())); };
  CHECK(number("\nPid:\t") == number("NSpgid:\t"));
}

TEST_CASE_FIXTURE(Fixture, "process: the working directory is entered, and relative programs are found from there") {
  std::ofstream(folder / "tool") << "#!/bin/sh\npwd\n";
  chmod((folder / "tool").c_str(), 0700);
  Command command;
  command.working_directory = folder.path();
  command.argv = {"./tool"};
  CHECK(run(command).output.head == folder.path().string() + "\n");
  command.argv = {"tool"};
  command.environment = {{"PATH", "/nowhere::/usr/bin:/bin"}};  // an empty entry is the working directory
  CHECK(run(command).output.head == folder.path().string() + "\n");
}

TEST_CASE_FIXTURE(Fixture, "process: what cannot be started is an error that says why and what to do") {
  const auto error_of = [&](Command command) {
    auto result = spawner.run(command, in(60s), {});
    REQUIRE_FALSE(result.ok());
    CHECK_FALSE(result.error().cure.empty());
    return result.error().message;
  };
  Command command;
  command.environment = {{"PATH", "/usr/bin:/bin"}};
  command.argv = {"pytset"};
  CHECK(error_of(command) == "cannot run 'pytset': not found in PATH (/usr/bin:/bin)");
  command.argv = {"/no/such/tool"};
  CHECK(error_of(command) == "cannot run '/no/such/tool': No such file or directory");
  command.argv = {"true"};
  command.working_directory = "/no/such/folder";
  CHECK(error_of(command) == "cannot enter working directory '/no/such/folder': No such file or directory");
  command.working_directory = "/etc/passwd";
  CHECK(error_of(command) == "cannot enter working directory '/etc/passwd': Not a directory");
  command.working_directory.clear();

  const std::string script = folder / "script";
  std::ofstream(script) << "echo hi\n";
  command.argv = {script};
  CHECK(error_of(command) == "cannot run '" + script + "': Permission denied");
  chmod(script.c_str(), 0700);
  CHECK(error_of(command) == "cannot run '" + script + "': it is neither a program nor a script with a #! line");
  std::ofstream(script) << "#!/no/interpreter\n";
  CHECK(error_of(command) == "cannot run '" + script + "': the interpreter that its first line names is not there");

  command.argv = {};
  CHECK(error_of(command) == "no program is named");
  command.argv = {"true", std::string("a\0b", 3)};
  CHECK(error_of(command) == "an argument of 'true' holds a NUL");
  command.argv = {"true", std::string(200'000, 'x')};
  CHECK(error_of(command) == "cannot run 'true': its arguments and environment are too large");
  command.argv = {"true"};
  command.environment = {{"A", std::string("x\0y", 3)}};
  CHECK(error_of(command) == "the environment variable A would hold a NUL");
  command.environment = {{"A", std::string(limits::kEnvironmentString, 'x')}};
  CHECK(error_of(command) == "the environment variable A would be too large");
  command.environment = {{"A=B", "x"}};
  CHECK(error_of(command) == "an environment variable cannot be named 'A=B'");
  command.environment.clear();
  command.argv = {"evil\x1b[2J\n"};
  CHECK(error_of(command).find('\x1b') == std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "process: output beyond the memory's bound goes whole to a private file") {
  Command command = shell("head -c 300000 /dev/zero | tr '\\0' o; head -c 100000 /dev/zero | tr '\\0' e >&2");
  command.output_stem = folder / "runs/R1/step";
  const auto result = run(command);
  CHECK(result.output.bytes == 300'000);
  CHECK(result.output.head == std::string(limits::kOutputInMemory, 'o'));
  CHECK(result.output.file == command.output_stem + ".out");
  CHECK(read_file(result.output.file) == std::string(300'000, 'o'));
  CHECK(result.error_output.bytes == 100'000);
  CHECK(read_file(result.error_output.file) == std::string(100'000, 'e'));
  struct stat status {};
  REQUIRE(stat(result.output.file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  REQUIRE(stat((folder / "runs/R1").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE_FIXTURE(Fixture, "process: output that exactly fills the memory's bound needs no file") {
  Command command = shell("head -c 65536 /dev/zero");
  command.output_stem = folder / "step";
  const auto result = run(command);
  CHECK(result.output.head.size() == limits::kOutputInMemory);
  CHECK(result.output.file.empty());
}

TEST_CASE_FIXTURE(Fixture, "process: output beyond the disk's bound is counted, not kept") {
  const auto extra = 1'000'000;
  Command command = shell("head -c " + std::to_string(limits::kOutputOnDisk + extra) + " /dev/zero");
  command.output_stem = folder / "step";
  const auto result = run(command);
  CHECK(result.output.bytes == limits::kOutputOnDisk + extra);
  CHECK(std::filesystem::file_size(result.output.file) == limits::kOutputOnDisk);
  CHECK(result.note == "standard output is cut after its first 64 MiB");
}

TEST_CASE_FIXTURE(Fixture, "process: a file that cannot be written costs the overflow, not the run") {
  std::ofstream(folder / "file") << "x";
  Command command = shell("head -c 100000 /dev/zero; exit 4");
  command.output_stem = folder / "file/step";
  const auto result = run(command);
  CHECK(result.code == 4);
  CHECK(result.output.bytes == 100'000);
  CHECK(result.output.head.size() == limits::kOutputInMemory);
  CHECK(result.output.file.empty());
  CHECK(result.note.find("standard output is cut: cannot") == 0);
}

TEST_CASE_FIXTURE(
    Fixture, "process: one left behind by a command that ended normally neither holds up the run nor is ended, and is reaped") {
  Command command = shell("(sleep 1000 & echo $! > $D/left)");
  command.environment = {{"D", folder.path().string()}};
  command.run_id = "left-behind";
  const auto result = run(command);
  CHECK(result.end == End::exited);
  CHECK(result.code == 0);
  const pid_t left = std::stoi(read_file(folder / "left"));
  CHECK(kill(left, 0) == 0);
  spawner.reap_orphans();
  CHECK(kill(left, 0) == 0);
  kill(left, SIGKILL);
  CHECK(eventually([&] {
    spawner.reap_orphans();
    return kill(left, 0) == -1;
  }));
  CHECK(own_zombies() == 0);
}

TEST_CASE_FIXTURE(Fixture, "process: a writer left behind that never falls silent does not hold up the run") {
  Command command = shell("yes & echo $! > $D/left; echo done");
  command.environment = {{"D", folder.path().string()}};
  CHECK(run(command).code == 0);
  const pid_t left = std::stoi(read_file(folder / "left"));
  CHECK(eventually([&] {  // SIGPIPE ends it: nobody reads any more
    spawner.reap_orphans();
    return kill(left, 0) == -1;
  }));
}

TEST_CASE_FIXTURE(Fixture, "process: closing its streams early is not its end") {
  const auto result = run(shell("exec >&- 2>&- <&-; sleep 0.05; exit 5"));
  CHECK(result.code == 5);
}

TEST_CASE_FIXTURE(Fixture, "process: the deadline ends it, and what it said before is kept") {
  const auto result = spawner.run(shell("echo before; sleep 1000"), in(200ms), {});
  REQUIRE(result.ok());
  CHECK(result->end == End::timed_out);
  CHECK(result->code == 128 + SIGTERM);
  CHECK(result->output.head == "before\n");
}

TEST_CASE_FIXTURE(Fixture, "process: the deadline also ends one that writes without a pause") {
  const auto result = spawner.run(shell("yes"), in(100ms), {});
  REQUIRE(result.ok());
  CHECK(result->end == End::timed_out);
}

TEST_CASE_FIXTURE(Fixture, "process: a deadline or stop that has come already starts nothing") {
  Command command = shell("touch $D/started");
  command.environment = {{"D", folder.path().string()}};
  const auto late = spawner.run(command, in(-1s), {});
  REQUIRE(late.ok());
  CHECK(late->end == End::timed_out);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = spawner.run(command, in(60s), stop.get_token());
  REQUIRE(stopped.ok());
  CHECK(stopped->end == End::cancelled);
  CHECK_FALSE(std::filesystem::exists(folder / "started"));
}

TEST_CASE_FIXTURE(Fixture, "process: on SIGTERM a command has time to say goodbye, more than a pipe holds of it") {
  RealProcessSpawner patient(30s);
  Command command = shell("trap 'head -c 200000 /dev/zero; exit 7' TERM; echo up > $D/up; while :; do sleep 0.01; done");
  command.environment = {{"D", folder.path().string()}};
  std::stop_source stop;
  std::jthread watcher([&] {
    eventually([&] { return !read_file(folder / "up").empty(); });
    stop.request_stop();
  });
  const auto result = patient.run(command, in(120s), stop.get_token());
  REQUIRE(result.ok());
  CHECK(result->end == End::cancelled);
  CHECK(result->code == 7);
  CHECK(result->output.bytes == 200'000);
}

TEST_CASE_FIXTURE(Fixture, "process tree: a command that ignores SIGTERM is killed after the grace, and the note says so") {
  const auto result = cancel_once_up("trap '' TERM; echo $$ > $D/a; while :; do sleep 0.01; done", {"a"});
  CHECK(result.code == 128 + SIGKILL);
  CHECK(result.note.find("had to be killed") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "process tree: children and grandchildren end with it") {
  cancel_once_up("echo $$ > $D/a; sh -c 'echo $$ > $D/b; sh -c \"echo \\$\\$ > $D/c; sleep 1000; :\"; :' & wait",
                 {"a", "b", "c"});
}

TEST_CASE_FIXTURE(Fixture, "process tree: a session of its own does not save a grandchild") {
  cancel_once_up("setsid sh -c 'echo $$ > $D/b; sleep 1000; :' & echo $$ > $D/a; sleep 1000; :", {"a", "b"});
}

TEST_CASE_FIXTURE(Fixture,
                  "process tree: nor does a double fork, or one whose parent went before the end and that ignores SIGTERM") {
  cancel_once_up(
      "(setsid sh -c 'trap \"\" TERM; echo $$ > $D/b; while :; do sleep 0.01; done' &); (sh -c 'echo $$ > $D/c; sleep 1000; :' "
      "&) ; "
      "echo $$ > $D/a; sleep 1000; :",
      {"a", "b", "c"});
}

TEST_CASE_FIXTURE(Fixture, "process tree: nor nohup") {
  cancel_once_up(
      "nohup sh -c 'echo $$ > $D/b; sleep 1000; :' > /dev/null 2>&1 & (nohup sh -c 'echo $$ > $D/c; sleep 1000; :' >/dev/null "
      "2>&1 &); "
      "echo $$ > $D/a; sleep 1000; :",
      {"a", "b", "c"});
}

TEST_CASE_FIXTURE(Fixture, "process tree: nor a wiped environment in a session of its own") {
  cancel_once_up("env -i D=$D setsid sh -c 'echo $$ > $D/b; sleep 1000; :' & echo $$ > $D/a; sleep 1000; :", {"a", "b"});
}

TEST_CASE_FIXTURE(Fixture,
                  "process tree: nor a wiped environment, a session of its own and a lost parent, when no other command ran") {
  cancel_once_up("(env -i D=$D setsid sh -c 'echo $$ > $D/b; sleep 1000; :' &); echo $$ > $D/a; sleep 1000; :", {"a", "b"});
}

TEST_CASE_FIXTURE(Fixture, "process tree: an orphan without a trace is spared and named when it could be another command's") {
  std::stop_source other_stop;
  Command other = shell("echo $$ > $D/other; sleep 1000; :");
  other.environment = {{"D", folder.path().string()}};
  other.run_id = "other";
  std::jthread other_run([&] { (void)spawner.run(other, in(120s), other_stop.get_token()); });
  REQUIRE(eventually([&] { return read_file(folder / "other").ends_with('\n'); }));

  const auto result = cancel_once_up(
      "(env -i D=$D setsid sh -c 'echo $$ > $D/stray; sleep 1000; :' &); "
      "while ! [ -s $D/stray ]; do sleep 0.01; done; echo $$ > $D/a; sleep 1000; :",
      {"a"});
  const pid_t stray = std::stoi(read_file(folder / "stray"));
  CHECK(kill(stray, 0) == 0);
  CHECK(kill(std::stoi(read_file(folder / "other")), 0) == 0);
  CHECK(result.note.find("left running") != std::string::npos);
  CHECK(result.note.find(std::to_string(stray)) != std::string::npos);
  kill(-stray, SIGKILL);
  other_stop.request_stop();
  other_run.join();
  CHECK(eventually([&] {
    spawner.reap_orphans();
    return kill(stray, 0) == -1;
  }));
}

// A race with the kernel's forks. Under the thread sanitizer, where a look at /proc takes ten times as long, it is lost within
// the patience that limits.h grants.
#ifndef __SANITIZE_THREAD__
TEST_CASE_FIXTURE(Fixture, "process tree: one that forks all the time and ignores SIGTERM comes to an end") {
  // Every process of the chain starts its heir in a session of its own and goes: no member is seen twice.
  std::ofstream(folder / "heir") << "#!/bin/sh\ntrap '' TERM\necho $$ >> $D/line\nsetsid $D/heir &\n";
  chmod((folder / "heir").c_str(), 0700);
  cancel_once_up("$D/heir; while [ $(wc -l < $D/line) -lt 20 ]; do sleep 0.01; done; echo $$ > $D/a; sleep 1000; :", {"a"});
  std::istringstream line(read_file(folder / "line"));
  for (pid_t pid; line >> pid;) CHECK(kill(pid, 0) == -1);
  CHECK(spawner.end_marked("run-" + folder.path().filename().string()) == 0);  // no heir goes on
  CHECK(own_zombies() == 0);
}
#endif

// Not a test: the command of the next one. Each chain hops from process to process, every one in a session of its own, faster than
// a look at all processes takes; it ends by itself once $D/stop is there.
TEST_CASE("process tree: storm of forks" * doctest::skip()) {
  const std::string folder = std::getenv("D");
  const std::string stop = folder + "/stop";
  for (int chain = 0; chain < 40; ++chain) {
    if (fork() != 0) continue;
    for (;;) {
      const timespec pace{0, 500'000};
      ppoll(nullptr, 0, &pace, nullptr);
      if (access(stop.c_str(), F_OK) == 0 || fork() != 0) _exit(0);
      setsid();
    }
  }
  std::ofstream(folder + "/up") << getpid() << "\n";
  pause();
}

#ifndef __SANITIZE_THREAD__
TEST_CASE_FIXTURE(Fixture, "process tree: many chains that fork every half millisecond come to an end") {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").string();
  // As the daemon does at each SIGCHLD: left unreaped, thousands a second would soon take the machine's last process number.
  std::jthread reaper([&](const std::stop_token& stop) {
    CHECK(eventually([&] {
      spawner.reap_orphans();
      return stop.stop_requested();
    }));
  });
  const auto result = cancel_once_up("exec " + program + " --no-skip -tc='process tree: storm of forks'", {"up"});
  const auto left = spawner.end_marked("run-" + folder.path().filename().string());
  std::ofstream(folder / "stop").put('\n');  // whatever came of it, no storm goes on
  CHECK(left == 0);
  // On an idle machine all are stopped before any is asked to go; on a busy one some may be killed first, and the note names them.
  CHECK(result.note.find("left running") == std::string::npos);
  CHECK(result.note.find("could not be ended") == std::string::npos);
}
#endif

TEST_CASE_FIXTURE(Fixture, "process tree: another command of the same daemon is not touched") {
  std::stop_source other_stop;
  Command other = shell("echo $$ > $D/other; sleep 1000; :");
  other.environment = {{"D", folder.path().string()}};
  other.run_id = "other";
  std::jthread other_run([&] {
    auto result = spawner.run(other, in(120s), other_stop.get_token());
    CHECK(result.ok());
    CHECK(result->end == End::cancelled);
  });
  REQUIRE(eventually([&] { return read_file(folder / "other").ends_with('\n'); }));
  cancel_once_up("echo $$ > $D/a; sleep 1000; :", {"a"});
  CHECK(kill(std::stoi(read_file(folder / "other")), 0) == 0);
  other_stop.request_stop();
}

TEST_CASE_FIXTURE(Fixture, "process: reaping orphans all the while never takes a command's exit status") {
  std::atomic<bool> done = false;
  std::jthread reaper([&] {
    while (!done) spawner.reap_orphans();
  });
  const auto many = [&](int code) {
    for (int i = 0; i < 100; ++i) {
      auto result = spawner.run(shell("(true &); exit " + std::to_string(code)), in(60s), {});
      REQUIRE(result.ok());
      CHECK(result->end == End::exited);
      CHECK(result->code == code);
    }
  };
  std::jthread one([&] { many(1); }), two([&] { many(2); });
  one.join();
  two.join();
  done = true;
  reaper.join();
  CHECK(eventually([&] {
    spawner.reap_orphans();
    return own_zombies() == 0;
  }));
}

TEST_CASE_FIXTURE(Fixture, "process: what a dead daemon left of a run is found by the run's id alone") {
  Command command = shell(
      "setsid sh -c 'echo $$ > $D/b; env -i sleep 1000 & wait' & (setsid sh -c 'trap \"\" TERM; echo $$ > $D/c; while :; do "
      "sleep 0.01; done' &) ; "
      "while ! [ -s $D/b ] || ! [ -s $D/c ]; do sleep 0.01; done");
  command.environment = {{"D", folder.path().string()}};
  command.run_id = "recover-" + folder.path().filename().string();
  CHECK(run(command).code == 0);
  CHECK(spawner.end_marked("someone-else") == 0);
  CHECK(kill(std::stoi(read_file(folder / "b")), 0) == 0);
  CHECK(spawner.end_marked(command.run_id) >= 3);
  for (const char* name : {"b", "c"}) CHECK(kill(std::stoi(read_file(folder / name)), 0) == -1);
  CHECK(spawner.end_marked(command.run_id) == 0);
  CHECK(spawner.end_marked("") == 0);
}

TEST_CASE_FIXTURE(Fixture, "process: a command that the machine has no descriptor for begins when there is one again") {
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 3;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  std::string said;
  std::jthread machine([&] {
    eventually([&] { return !(said = spawner.starved()).empty(); });
    setrlimit(RLIMIT_NOFILE, &before);
  });
  const auto result = spawner.run(shell("echo there"), in(60s), {});
  machine.join();
  REQUIRE(result.ok());
  CHECK(result->output.head == "there\n");
  CHECK(said.find("Too many open files") != std::string::npos);
  CHECK(spawner.starved().empty());
}

TEST_CASE_FIXTURE(Fixture, "process: waiting for the machine ends with the deadline, or with a stop") {
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 3;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto late = spawner.run(shell("echo there"), in(150ms), {});
  std::stop_source stop;
  std::jthread person([&] {
    eventually([&] { return !spawner.starved().empty(); });
    stop.request_stop();
  });
  const auto stopped = spawner.run(shell("echo there"), in(60s), stop.get_token());
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE(late.ok());
  CHECK(late->end == End::timed_out);
  CHECK(late->note.find("Too many open files") != std::string::npos);
  REQUIRE(stopped.ok());
  CHECK(stopped->end == End::cancelled);
}

TEST_CASE_FIXTURE(Fixture, "process activity: what sleeps is told from what works") {
  ProcessActivity activity;
  CHECK_FALSE(activity.any());
  std::stop_source stop;
  std::jthread sleeper([&] { (void)spawner.run(shell("sleep 1000; :"), in(60s), stop.get_token()); });
  CHECK(eventually([&] { return activity.any(); }));
  CHECK(eventually([&] { return !activity.any(); }));
  std::jthread busy([&] { (void)spawner.run(shell("while :; do :; done"), in(60s), stop.get_token()); });
  for (int round = 0; round < 3; ++round) CHECK(eventually([&] { return activity.any(); }));  // the first is its beginning
  stop.request_stop();
  busy.join();
  sleeper.join();
  (void)activity.any();
  CHECK_FALSE(activity.any());
  // What works for moments only is found by what it did, not by being met at it.
  std::stop_source stop_too;
  std::jthread pulse([&] { (void)spawner.run(shell("while :; do sleep 0.2; done"), in(60s), stop_too.get_token()); });
  for (int round = 0; round < 3; ++round) {
    CHECK(eventually([&] { return activity.any(); }));
    CHECK(eventually([&] { return !activity.any(); }));
  }
  stop_too.request_stop();
}

TEST_CASE("process table: a name may hold brackets, and marks match whole entries only") {
  const std::string environment = std::string("XHARK_RUN_ID=1") + '\0' + "HARK_RUN_ID=12" + '\0' + "B=HARK_RUN_ID=3" + '\0';
  CHECK(has_entry(environment, "HARK_RUN_ID=12"));
  CHECK_FALSE(has_entry(environment, "HARK_RUN_ID=1"));
  CHECK_FALSE(has_entry(environment, "HARK_RUN_ID=3"));
  CHECK(has_variable(environment, "B="));
  CHECK_FALSE(has_variable(environment, "RUN_ID="));

  hark::test::TemporaryFolder folder;
  const std::string odd = folder / "a) R (b";
  std::filesystem::copy_file("/bin/sleep", odd);
  RealProcessSpawner spawner(kGrace);
  Command command;
  command.argv = {odd, "1000"};
  std::stop_source stop;
  std::jthread run([&] { (void)spawner.run(command, in(60s), stop.get_token()); });
  ProcessEntry found;
  CHECK(eventually([&] {
    for (const auto& entry : read_process_table().entries) {
      if (entry.parent == getpid() && entry.name == "a) R (b") found = entry;
    }
    return found.pid != 0;
  }));
  CHECK(found.group == found.pid);
  CHECK(found.start > 0);
  stop.request_stop();
}
