#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "platform/launch_plan.h"
#include "platform/process.h"
#include "platform/process_table.h"
#include "platform/run_cgroup.h"
#include "tests/support/eventually.h"
#include "tests/support/temporary_folder.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::eventually;
using End = ProcessResult::End;

namespace {

SteadyTime soon(Duration from_now) { return std::chrono::steady_clock::now() + from_now; }

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream all;
  all << file.rdbuf();
  return all.str();
}

// Whether any process bears the mark of this run.
bool is_borne(const std::string& run_id) {
  for (const auto& entry : read_process_table().entries) {
    if (entry.state != 'Z' && has_entry(read_environment(entry.pid), "HARK_RUN_ID=" + run_id)) return true;
  }
  return false;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

struct Contained {
  hark::test::TemporaryFolder folder;
  RealProcessSpawner spawner{150ms, HARK_LAUNCH_HELPER};

  Command script(const std::string& text, Containment containment) {
    Command command;
    command.argv = {"/bin/sh", "-c", text};
    command.environment = {{"D", folder.path().string()}};
    command.working_directory = folder.path();
    command.run_id = "run-" + folder.path().filename().string();
    command.containment = std::move(containment);
    return command;
  }
  ProcessResult run(const Command& command) {
    auto result = spawner.run(command, soon(60s), {});
    if (!result) FAIL("not started: " << result.error().text());
    return std::move(*result);
  }
  Error refused(const Command& command) {
    auto result = spawner.run(command, soon(60s), {});
    REQUIRE_FALSE(result.ok());
    return result.error();
  }

  // Whether this kernel lets bwrap do its work; said aloud where it does not.
  bool has_sandbox() {
    Command command;
    command.argv = {find_bubblewrap(), "--unshare-user", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"};
    const auto tried = command.argv.front().empty() ? Result<ProcessResult>(Error{"bwrap is not installed", ""}) : spawner.run(command, soon(60s), {});
    const bool works = tried.ok() && tried->code == 0;
    if (!works) MESSAGE("SKIPPED: no sandbox can be made here: ", tried.ok() ? tried->error_output.head : tried.error().text());
    return works;
  }

  // Starts a script that writes "a", "b" into $D as it comes up; after the deadline nobody of them may be there.
  void check_gone_after_deadline(const Containment& containment) {
    const auto command = script(
        "trap '' TERM; (trap '' TERM; setsid sh -c 'trap \"\" TERM; touch $D/b; while :; do sleep 0.01; done' &); touch $D/a; while :; do sleep 0.01; done", containment);
    std::stop_source stop;
    std::jthread watcher([&] {
      eventually([&] { return std::filesystem::exists(folder / "a") && std::filesystem::exists(folder / "b"); });
      stop.request_stop();
    });
    const auto result = spawner.run(command, soon(120s), stop.get_token());
    REQUIRE(result.ok());
    CHECK(result->end == End::cancelled);
    CHECK(has(result->note, "had to be killed"));
    CHECK(std::filesystem::exists(folder / "b"));
    CHECK_FALSE(is_borne(command.run_id));
  }
};

}  // namespace

TEST_CASE("containment: a command sees the base of the daemon's environment, what it names, and no secret") {
  for (const auto& [name, value] : {std::pair("AWS_REGION", "eu"), {"AWS_SECRET", "s"}, {"LC_TEST", "C"}, {"OPENAI_API_KEY", "sk"}, {"HOOK_SECRET_X", "h"}}) setenv(name, value, 1);
  RealProcessSpawner spawner;
  for (const char* name : {"AWS_REGION", "AWS_SECRET", "LC_TEST", "OPENAI_API_KEY", "HOOK_SECRET_X"}) unsetenv(name);
  const auto seen = [&](EnvironmentChoice choice) {
    Command command;
    command.argv = {"env"};
    command.environment = {{"OWN", "1"}};
    command.containment.environment = std::move(choice);
    const auto result = spawner.run(command, soon(60s), {});
    REQUIRE(result.ok());
    return "\n" + result->output.head;
  };
  const auto base = seen({});
  for (const char* part : {"\nPATH=", "\nLC_TEST=C\n", "\nOWN=1\n"}) CHECK_MESSAGE(has(base, part), part);
  for (const char* part : {"AWS_", "OPENAI", "HOOK_SECRET"}) CHECK_MESSAGE(!has(base, part), part);
  const auto named = seen({false, {"AWS_*", "HOOK_SECRET_?"}});
  for (const char* part : {"\nAWS_REGION=eu\n", "\nAWS_SECRET=s\n", "\nHOOK_SECRET_X=h\n", "\nPATH="}) CHECK_MESSAGE(has(named, part), part);
  CHECK_FALSE(has(named, "OPENAI"));
  CHECK(seen({false, {"AWS_*", "HOOK_SECRET_?"}}) == named);
  CHECK(has(seen({false, {"AWS_REGION"}}), "\nAWS_REGION=eu\n"));
  CHECK_FALSE(has(seen({false, {"AWS_REGION"}}), "AWS_SECRET"));
  CHECK(has(seen({true, {}}), "\nOPENAI_API_KEY=sk\n"));
}

TEST_CASE_FIXTURE(Contained, "containment: umask, nice and every limit hold in the command, and nothing else differs from a plain start") {
  Containment wanted;
  wanted.umask = 027;
  wanted.nice = 7;
  wanted.limits = {.cpu = 90s, .memory = 4096ull << 20, .open_files = 99, .processes = 4000, .file_size = 1 << 20, .core = 0};
  const auto text = run(script("umask; nice; ulimit -t; ulimit -Ht; ulimit -v; ulimit -n; ulimit -Hn; ulimit -f; ulimit -c; ulimit -p", wanted)).output.head;
  CHECK(text == "0027\n7\n90\n91\n4194304\n99\n99\n2048\n0\n4000\n");

  auto command = script("", wanted);
  command.argv = {"grep", "-E", "^(SigBlk|SigIgn|NSpgid|Pid):", "/proc/self/status"};
  const auto status = run(command).output.head;
  INFO(status);
  CHECK(has(status, "SigBlk:\t0000000000000000"));
  CHECK(has(status, "SigIgn:\t0000000180000000"));  // 32 and 33 are glibc's own
  const auto number = [&](const std::string& name) { return std::stoi(status.substr(status.find(name) + name.size())); };
  CHECK(number("Pid:\t") == number("NSpgid:\t"));
  command.argv = {"ls", "/proc/self/fd"};
  CHECK(run(command).output.head == "0\n1\n2\n3\n");  // 3 is the folder ls reads
  command.argv = {"cat"};
  command.input = "from the event";
  CHECK(run(command).output.head == "from the event");
  CHECK(run(script("exit 7", wanted)).code == 7);
  const auto killed = run(script("kill -9 $$", wanted));
  CHECK(killed.end == End::signalled);
  CHECK(killed.code == 128 + SIGKILL);
}

TEST_CASE_FIXTURE(Contained, "containment: a limit of CPU time ends by the signal that says so") {
  Containment wanted;
  wanted.limits.cpu = 1s;
  const auto result = run(script("while :; do :; done", wanted));
  CHECK(result.end == End::signalled);
  CHECK(result.code == 128 + SIGXCPU);
}

TEST_CASE_FIXTURE(Contained, "containment: a setting that cannot be made is an error that names it, and the command never begins") {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  Containment wanted;
  wanted.limits.open_files = 1ull << 40;  // beyond fs.nr_open, for root too
  auto error = refused(script("touch $D/began", wanted));
  CHECK(has(error.message, "cannot set limits.open_files = 1099511627776: "));
  CHECK(has(error.cure, "daemon's own limit"));
  wanted = {};
  wanted.umask = 022;
  auto command = script("", wanted);
  command.argv = {"no-such-program"};
  CHECK(has(refused(command).message, "cannot run 'no-such-program': not found in PATH"));
  std::ofstream(folder / "broken") << "#!/no/such/interpreter\n";
  chmod((folder / "broken").c_str(), 0700);
  command.argv = {"./broken"};
  CHECK(has(refused(command).message, "the interpreter that its first line names is not there"));
  CHECK_FALSE(std::filesystem::exists(folder / "began"));
}

TEST_CASE_FIXTURE(Contained, "containment: without hark-launch nothing is started") {
  RealProcessSpawner alone(150ms, "/no/such/hark-launch");
  Containment wanted;
  wanted.umask = 022;
  const auto result = alone.run(script("touch $D/began", wanted), soon(60s), {});
  REQUIRE_FALSE(result.ok());
  INFO(result.error().text());
  CHECK(has(result.error().message, "hark-launch"));
  CHECK_FALSE(std::filesystem::exists(folder / "began"));
}

TEST_CASE_FIXTURE(Contained, "containment: hark-launch of another version is refused, and says so") {
  Command command;
  command.argv = {"/bin/sh", "-c", std::string("exec ") + HARK_LAUNCH_HELPER + " 0 umask=18 -- /bin/true true 3>&1"};
  const auto result = run(command);
  CHECK(result.code == kLaunchFailed);
  REQUIRE(result.output.head.size() == sizeof(LaunchReport));
  CHECK(LaunchPlan{}.error_of({LaunchReport::kMisunderstood, 0}).cure == "restart the daemon after an upgrade");
  command.argv = {HARK_LAUNCH_HELPER};
  CHECK(has(run(command).error_output.head, "started by hark"));
}

TEST_CASE_FIXTURE(Contained, "containment: a user and a group of its own, with HOME and the groups that belong to it") {
  if (geteuid() != 0) {
    MESSAGE("SKIPPED: not root, and so no other user can be had");
    return;
  }
  Containment wanted;
  wanted.user = *find_user("nobody");
  auto command = script("id -un; id -Gn; echo $HOME $USER $LOGNAME $SHELL", wanted);
  command.working_directory = "/";
  const auto& nobody = *wanted.user;
  CHECK(run(command).output.head == "nobody\nnogroup\n" + nobody.home + " nobody nobody " + nobody.shell + "\n");
  wanted.group = *find_group("daemon");
  command.containment = wanted;
  CHECK(run(command).output.head.starts_with("nobody\ndaemon nogroup\n"));
  command.argv = {"grep", "-E", "^(Cap(Prm|Eff)|Uid):", "/proc/self/status"};
  const auto status = run(command).output.head;
  INFO(status);
  CHECK(has(status, "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000"));

  CHECK_FALSE(find_user("no-such-user").ok());
  CHECK_FALSE(find_group("no-such-group").ok());
}

TEST_CASE_FIXTURE(Contained, "containment: what forks, calls setsid and ignores SIGTERM is gone after its time, by way of hark-launch too") {
  Containment wanted;
  wanted.umask = 077;
  check_gone_after_deadline(wanted);
}

TEST_CASE_FIXTURE(Contained, "containment: what forks, calls setsid and ignores SIGTERM is gone after its time, out of a sandbox too") {
  if (!has_sandbox()) return;
  Containment wanted;
  wanted.sandbox = Sandbox{};
  check_gone_after_deadline(wanted);
}

TEST_CASE_FIXTURE(Contained, "sandbox: the command has its grace after SIGTERM, and its exit status comes back") {
  if (!has_sandbox()) return;
  RealProcessSpawner patient(30s, HARK_LAUNCH_HELPER);
  Containment wanted;
  wanted.sandbox = Sandbox{};
  const auto command = script("trap 'echo goodbye; exit 9' TERM; touch $D/up; while :; do sleep 0.01; done", wanted);
  std::stop_source stop;
  std::jthread watcher([&] {
    eventually([&] { return std::filesystem::exists(folder / "up"); });
    stop.request_stop();
  });
  const auto result = patient.run(command, soon(120s), stop.get_token());
  REQUIRE(result.ok());
  CHECK(result->end == End::cancelled);
  CHECK(result->code == 9);
  CHECK(result->output.head == "goodbye\n");
  CHECK(run(script("exit 7", wanted)).code == 7);
  CHECK(run(script("exit 1", wanted)).code == 1);  // bwrap's own status when it fails
  CHECK(run(script("kill -9 $$", wanted)).code == 128 + SIGKILL);
}

TEST_CASE_FIXTURE(Contained, "sandbox: it writes to its folder and what is named, reads the rest, and has /tmp, processes and network for itself") {
  if (!has_sandbox()) return;
  hark::test::TemporaryFolder elsewhere, named;
  Containment wanted;
  wanted.sandbox = Sandbox{};
  wanted.sandbox->writable = {named.path().string()};
  const auto read = run(script("cat /etc/passwd > copy && ls -A /tmp > seen && touch /tmp/mine && ls /proc | grep -c '^[0-9]' > processes; "
                               "touch /etc/x || touch /usr/x || echo denied; touch " + named.path().string() + "/y; cat /proc/net/dev | grep -c : ; true", wanted));
  INFO(read.error_output.head);
  CHECK(read.output.head == "denied\n1\n");  // lo
  CHECK(std::filesystem::file_size(folder / "copy") > 0);
  CHECK_FALSE(std::filesystem::exists("/tmp/mine"));
  CHECK(std::filesystem::exists(named / "y"));
  CHECK_FALSE(has(content(folder / "seen"), elsewhere.path().filename().string()));
  CHECK(std::stoi(content(folder / "processes")) < 10);

  wanted.sandbox->network = true;
  const auto open = run(script("cat /proc/net/dev", wanted)).output.head;
  CHECK(open == content("/proc/net/dev").substr(0, open.size()).substr(0, open.find("lo:")) + open.substr(open.find("lo:")));
  CHECK(run(script("readlink /proc/self/ns/net", wanted)).output.head == std::filesystem::read_symlink("/proc/self/ns/net").string() + "\n");
}

TEST_CASE_FIXTURE(Contained, "sandbox: no capability is left, and none comes back") {
  if (!has_sandbox()) return;
  Containment wanted;
  wanted.sandbox = Sandbox{};
  const auto status = run(script("grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs):' /proc/self/status", wanted)).output.head;
  CHECK(status == "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n");
}

TEST_CASE_FIXTURE(Contained, "sandbox: outputs are there to read, hark's own files are out of reach, the configuration cannot be written") {
  if (!has_sandbox()) return;
  const auto state = folder / ".hark";
  const auto outputs = state / "runs" / "R1";
  std::filesystem::create_directories(outputs);
  std::ofstream(outputs / "payload.json") << "{}";
  std::ofstream(outputs / "git-trace") << "";
  std::ofstream(state / "journal.db") << "secret";
  std::ofstream(folder / "hark.toml") << "mode";
  spawner.contain_with({}, {state.string(), {(state / "journal.db").string()}, {(folder / "hark.toml").string()}});
  Containment wanted;
  wanted.sandbox = Sandbox{};
  auto command = script("cat .hark/runs/R1/payload.json; echo x > .hark/runs/R1/payload.json; cat .hark/journal.db; cat hark.toml; echo x > hark.toml; "
                        "mv hark.toml y; mv .hark z; echo y >> .hark/runs/R1/git-trace; true", wanted);
  command.output_stem = outputs / "step1";
  command.appended_files = {(outputs / "git-trace").string()};
  const auto result = run(command);
  INFO(result.error_output.head);
  CHECK(result.output.head == "{}mode");
  CHECK(content(folder / "hark.toml") == "mode");
  CHECK(content(state / "journal.db") == "secret");
  CHECK(content(outputs / "payload.json") == "{}");
  CHECK(content(outputs / "git-trace") == "y\n");

  // A command that works in the state folder itself: the files are hidden one by one.
  command.working_directory = state;
  command.argv = {"cat", "journal.db"};
  CHECK(run(command).output.head.empty());
}

TEST_CASE_FIXTURE(Contained, "sandbox: a folder of its own below the state folder is writable, and the others there are hidden") {
  if (!has_sandbox()) return;
  const auto state = folder / ".hark";
  const auto workspaces = state / "workspaces";
  std::filesystem::create_directories(workspaces / "R1");
  std::filesystem::create_directories(workspaces / "R2");
  std::ofstream(state / "journal.db") << "secret";
  std::ofstream(workspaces / "R1.git-dir") << "its repository";
  spawner.contain_with({}, {state.string(), {(state / "journal.db").string(), workspaces.string()}, {}});
  Containment wanted;
  wanted.sandbox = Sandbox{};
  auto command = script("echo mine > file; ls -A ..; ls -A ../..; echo x > ../R1.git-dir; cat ../../journal.db; true", wanted);
  command.working_directory = workspaces / "R1";
  const auto result = run(command);
  INFO(result.error_output.head);
  CHECK(result.output.head == "R1\nworkspaces\n");
  CHECK(content(workspaces / "R1/file") == "mine\n");
  CHECK(content(workspaces / "R1.git-dir") == "its repository");
}

TEST_CASE_FIXTURE(Contained, "sandbox: what it leaves behind ends with it") {
  if (!has_sandbox()) return;
  Containment wanted;
  wanted.sandbox = Sandbox{};
  const auto command = script("setsid sh -c 'touch up; while :; do sleep 0.01; done' & while ! [ -e up ]; do sleep 0.01; done", wanted);
  CHECK(run(command).code == 0);
  CHECK(eventually([&] { return !is_borne(command.run_id); }));
}

TEST_CASE_FIXTURE(Contained, "sandbox: one that cannot be made is an error with bwrap's own words, and the command never begins") {
  if (!has_sandbox()) return;
  Containment wanted;
  wanted.sandbox = Sandbox{};
  wanted.sandbox->writable = {"/no/such/folder"};
  const auto error = refused(script("touch began", wanted));
  CHECK(has(error.message, "the sandbox could not be made: bwrap: "));
  CHECK(has(error.message, "/no/such/folder"));
  CHECK_FALSE(std::filesystem::exists(folder / "began"));
  wanted.sandbox = Sandbox{};
  auto whole = script("true", wanted);
  whole.working_directory = "/";
  CHECK(has(refused(whole).message, "writable whole"));
}

TEST_CASE_FIXTURE(Contained, "sandbox: limits and a user go with it") {
  if (!has_sandbox()) return;
  Containment wanted;
  wanted.sandbox = Sandbox{};
  wanted.umask = 027;
  wanted.limits.open_files = 77;
  CHECK(run(script("umask; ulimit -n", wanted)).output.head == "0027\n77\n");
}

TEST_CASE_FIXTURE(Contained, "sandbox: a program that is hidden from it is said to be so") {
  if (!has_sandbox()) return;
  const hark::test::TemporaryFolder elsewhere;
  const auto program = elsewhere.path() / "tool";
  std::ofstream(program) << "#!/bin/sh\n";
  chmod(program.c_str(), 0755);
  Containment wanted;
  wanted.sandbox = Sandbox{};
  auto command = script("", wanted);
  command.argv = {program.string()};
  if (!program.string().starts_with("/tmp/")) return;  // $TMPDIR says another place, which is to be seen
  const auto error = refused(command);
  CHECK(has(error.message, "is not there within the sandbox"));
  CHECK(has(error.cure, "`writable`"));
}

TEST_CASE_FIXTURE(Contained, "sandbox: another user has one too, also where it may not look at hark's folders") {
  if (!has_sandbox()) return;
  if (geteuid() != 0) {
    MESSAGE("SKIPPED: not root, and so no other user can be had");
    return;
  }
  const auto hidden = folder / "private", work = folder / "work";
  std::filesystem::create_directories(hidden / ".hark/runs/R1");
  std::filesystem::create_directories(work);
  chmod(folder.path().c_str(), 0755);
  chmod(hidden.c_str(), 0700);
  Containment wanted;
  wanted.sandbox = Sandbox{};
  wanted.user = *find_user("nobody");
  REQUIRE(chown(work.c_str(), wanted.user->uid, wanted.user->gid) == 0);
  std::ofstream(hidden / "hark.toml") << "mode";
  spawner.contain_with({}, {(hidden / ".hark").string(), {}, {(hidden / "hark.toml").string()}});
  auto command = script("id -un; touch mine; touch /etc/x || echo denied", wanted);
  command.working_directory = work;
  command.output_stem = hidden / ".hark/runs/R1/step1";
  CHECK(run(command).output.head == "nobody\ndenied\n");
  CHECK(std::filesystem::exists(work / "mine"));
}

TEST_CASE("cgroups: where a process's group is, by what the kernel says of it") {
  const std::string unified = "24 1 0:22 / /sys rw - sysfs sysfs rw\n29 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
  CHECK(cgroup_folder(unified, "0::/system.slice/hark.service\n") == "/sys/fs/cgroup/system.slice/hark.service");
  CHECK(cgroup_folder(unified, "0::/\n") == "/sys/fs/cgroup");
  const std::string hybrid = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  CHECK(cgroup_folder(hybrid, "9:name=systemd:/x\n4:memory:/y\n0::/z\n") == "/sys/fs/cgroup/unified/z");
  const std::string container = "29 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
  CHECK(cgroup_folder(container, "0::/docker/abc\n") == "/sys/fs/cgroup");
  CHECK(cgroup_folder(container, "0::/docker/abc/inner\n") == "/sys/fs/cgroup/inner");
  CHECK(cgroup_folder(container, "0::/docker/abcd\n").empty());
  CHECK(cgroup_folder("24 1 0:22 / /sys rw - sysfs sysfs rw\n", "0::/x\n").empty());
  CHECK(cgroup_folder(unified, "4:memory:/y\n").empty());
}

TEST_CASE("cgroups: what is not delegated is made up for as far as it goes, and told") {
  Containment wanted;
  wanted.cgroup = {.memory_max = 2ull << 30, .cpu_max = 150, .pids_max = 200};
  CHECK(shortfalls(wanted, {"cpu", "memory", "pids"}).empty());
  CHECK(made_up_for(wanted, {"cpu", "memory", "pids"}) == wanted);
  auto left = made_up_for(wanted, {});
  CHECK_FALSE(left.cgroup.any());
  CHECK(left.limits.memory == 2ull << 30);
  CHECK_FALSE(left.limits.processes.has_value());  // it would count the daemon user's other processes
  CHECK(shortfalls(wanted, {}).size() == 3);
  CHECK(shortfalls(wanted, {"memory", "pids"}) == std::vector<std::string>{"cpu_max has no effect"});
  wanted.user = UserAccount{"build", 12345, 12345, {12345}, "/", "/bin/sh"};
  wanted.limits.memory = 1ull << 30;  // the stricter one holds
  left = made_up_for(wanted, {"cpu"});
  CHECK(left.limits.processes == 200);
  CHECK(left.limits.memory == 1ull << 30);
  CHECK(left.cgroup.cpu_max == 150);
}

TEST_CASE("cgroups: limits are written as the kernel wants them, and what it counted at their bounds is told") {
  const hark::test::TemporaryFolder folder;
  for (const char* file : {"memory.max", "memory.oom.group", "cpu.max", "pids.max"}) std::ofstream(folder / file) << "";
  CommandCgroup group(folder.path(), {.memory_max = 2ull << 30, .cpu_max = 150, .pids_max = 200});
  CHECK(group.set_limits({"memory", "cpu", "pids"}).ok());
  CHECK(content(folder / "memory.max") == "2147483648");
  CHECK(content(folder / "memory.oom.group") == "1");
  CHECK(content(folder / "cpu.max") == "150000 100000");
  CHECK(content(folder / "pids.max") == "200");
  std::filesystem::remove(folder / "cpu.max");
  CHECK(group.set_limits({"memory", "pids"}).ok());
  const auto unwritten = group.set_limits({"memory", "cpu"});
  REQUIRE_FALSE(unwritten.ok());
  CHECK(has(unwritten.error().message, "/cpu.max: No such file"));

  std::ofstream(folder / "memory.events") << "low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n";
  std::ofstream(folder / "pids.events") << "max 4\n";
  const auto note = group.end();
  CHECK(note.starts_with("was killed for using more than memory_max = \"2G\"; wanted more processes than pids_max = 200"));
  CHECK(group.end().empty());
}

namespace {

// A group of our own in the kernel's tree, gone at the end; empty where none may be made.
class GroupOfOurs {
 public:
  GroupOfOurs() {
    const auto root = cgroup_folder(content("/proc/self/mountinfo"), content("/proc/self/cgroup"));
    const auto folder = root + "/hark-test-" + std::to_string(getpid());
    if (!root.empty() && mkdir(folder.c_str(), 0755) == 0) folder_ = folder;
    if (folder_.empty()) MESSAGE("SKIPPED: no cgroup (v2) may be made here");
  }
  ~GroupOfOurs() {
    if (!folder_.empty()) CHECK(rmdir(folder_.c_str()) == 0);
  }
  const std::string& folder() const { return folder_; }
  bool is_empty() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.is_directory()) return false;
    }
    return true;
  }

 private:
  std::string folder_;
};

}  // namespace

TEST_CASE_FIXTURE(Contained, "cgroups: a command runs in a group of its own, which ends with it and all that it left behind") {
  const GroupOfOurs ours;
  if (ours.folder().empty()) return;
  const CgroupHome home(ours.folder(), {});
  Command command = script("cat /proc/self/cgroup; setsid sh -c 'touch $D/up; while :; do sleep 0.01; done' & while ! [ -e up ]; do sleep 0.01; done", {});
  auto group = home.make({});
  REQUIRE(group.ok());
  CHECK_FALSE(ours.is_empty());
  // As the launcher does it, for this kernel may have no controller to limit by.
  auto plan = plan_launch(command, "/bin/sh", HARK_LAUNCH_HELPER, group->folder(), {});
  REQUIRE(plan.ok());
  Command by_hand = command;
  by_hand.argv = {"/bin/sh", "-c", "exec 3>/dev/null; exec \"$@\"", "sh"};
  by_hand.argv.insert(by_hand.argv.end(), plan->argv.begin(), plan->argv.end());
  const auto result = run(by_hand);
  const auto name = std::filesystem::path(group->folder()).filename().string();
  CHECK(has(result.output.head, "0::"));
  CHECK(has(result.output.head, name));
  CHECK(content(group->folder() + "/cgroup.procs") != "");
  CHECK(group->end().empty());
  CHECK(ours.is_empty());
  CHECK_FALSE(is_borne(command.run_id));
}

TEST_CASE_FIXTURE(Contained, "cgroups: what a dead daemon left is killed and removed, what a living one has is not touched") {
  const GroupOfOurs ours;
  if (ours.folder().empty()) return;
  const pid_t gone = fork();
  if (gone == 0) _exit(0);
  waitpid(gone, nullptr, 0);
  const auto left = ours.folder() + "/hark-command-" + std::to_string(gone) + "-1";
  const auto lives = ours.folder() + "/hark-command-1-1";
  const auto other = ours.folder() + "/something";
  for (const auto& each : {left, left + "/inner", lives, other}) REQUIRE(mkdir(each.c_str(), 0755) == 0);
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  std::ofstream(left + "/inner/cgroup.procs") << child;
  CHECK(CgroupHome(ours.folder(), {}).remove_left() == 1);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  CHECK_FALSE(std::filesystem::exists(left));
  CHECK(std::filesystem::exists(lives));
  CHECK(std::filesystem::exists(other));
  rmdir(lives.c_str());
  rmdir(other.c_str());
}
