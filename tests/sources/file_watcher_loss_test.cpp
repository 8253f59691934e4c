// What the watcher does where events are lost, limits are reached, or the root goes away.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sources/watching.h"

using namespace hark;
using namespace hark::test;

namespace {

// Fills the kernel's queue: 16,384 events by default. Two files in turn, for one event twice in a row is counted once.
void overflow(const Watching& watching) {
  std::uint64_t size = 16'384;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> size;
  for (std::uint64_t i = 0; i <= size; ++i) {
    const auto name = watching / (i % 2 == 0 ? "flood1" : "flood2");
    ::close(::open(name.c_str(), O_WRONLY | O_CLOEXEC));
  }
}

void put(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

// Runs `scenario` in a child process in which inotify's limits can be set (a user namespace); returns what it says.
// nullopt: this system does not allow it.
std::optional<std::string> with_own_limits(const std::function<std::string()>& scenario) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const auto user = std::to_string(getuid());
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (unshare(CLONE_NEWUSER) != 0) _exit(77);
    put("/proc/self/uid_map", "0 " + user + " 1");
    const auto said = scenario();
    const auto written = ::write(ends[1], said.data(), said.size());
    _exit(written == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t length = 0; (length = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(length));
  ::close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return std::nullopt;
  CHECK(status == 0);
  return said;
}

void limit(const std::string& name, int value) { put("/proc/sys/user/max_inotify_" + name, std::to_string(value)); }

}  // namespace

TEST_CASE("watcher loss: after an overflow the tree is scanned, the differences are told, and the state was visible") {
  Watching watching;
  fs::create_directories(watching / "dir/sub");
  for (const auto* name : {"same", "modified", "deleted", "renamed", "dir/sub/deep", "flood1", "flood2"}) write(watching / name);
  REQUIRE(watching.start().ok());
  overflow(watching);
  write(watching / "modified", "changed");
  write(watching / "created");
  fs::remove(watching / "deleted");
  fs::rename(watching / "renamed", watching / "renamed2");
  fs::rename(watching / "dir/sub", watching / "sub");
  fs::create_directory(watching / "new");
  write(watching / "new/file");
  REQUIRE(watching.until([&] { return watching.host.recoveries == 1; }));
  REQUIRE(watching.host.degradations.size() == 1);
  CHECK(watching.host.degradations.front().cure.find("max_queued_events") != std::string::npos);

  REQUIRE(watching.host.accepted.size() == 2);  // what was read before the loss, and what the scan found
  CHECK(lines_of(watching.host.accepted.front()) == Lines{"modify flood1", "modify flood2"});
  const auto& event = watching.host.accepted.back();
  CHECK(event.data.json()["rescan"] == true);
  CHECK(lines_of(event) == Lines{"create created", "delete deleted", "modify modified", "create new/file",
                                 "rename renamed > renamed2", "rename dir/sub/deep > sub/deep"});

  write(watching / "sub/deep", "the moved folder is watched, the new one too");
  write(watching / "new/file", "changed");
  REQUIRE(watching.until([&] { return watching.host.accepted.size() >= 3 && watching.told("modify new/file"); }));
  CHECK(watching.told("modify sub/deep"));
  CHECK_FALSE(watching.host.accepted.back().data.json().contains("rescan"));
}

TEST_CASE("watcher loss: a root that is not there is an error with its cure") {
  Watching watching;
  watching.options.path = watching / "none";
  const auto started = watching.start();
  REQUIRE_FALSE(started.ok());
  CHECK(started.error().message.find("none does not exist") != std::string::npos);
  CHECK(started.error().cure == "create it, or correct `path`");
  fs::create_directory(watching / "none");
  CHECK(watching.start().ok());
}

TEST_CASE("watcher loss: a root that goes away is a failure, and what happened meanwhile is told after the next start") {
  Watching watching;
  fs::create_directory(watching / "sub");
  write(watching / "sub/kept");
  write(watching / "sub/changed");
  REQUIRE(watching.start().ok());
  const auto root = watching / "";
  const auto away = watching.folder / "away";
  const auto upper = watching.folder.path();
  fs::path back;
  SUBCASE("moved away") {
    fs::rename(watching.options.path, away);
    back = away;
  }
  SUBCASE("replaced at once") {
    fs::rename(watching.options.path, away);
    fs::create_directory(root);
    fs::copy(away, root, fs::copy_options::recursive);
    back = root;
  }
  REQUIRE(watching.until([&] { return !watching.host.failures.empty(); }));
  CHECK(watching.host.failures.size() == 1);
  CHECK(watching.host.failures.front().cure == "create it, or correct `path`");
  watching.source->stop();
  if (back == away) {
    CHECK_FALSE(watching.start().ok());
    CHECK_FALSE(watching.start().ok());
    fs::rename(away, watching.options.path);
  }
  write(watching / "sub/changed", "changed meanwhile");
  write(watching / "sub/new");
  REQUIRE(watching.start().ok());
  REQUIRE(watching.until([&] { return watching.told("create sub/new"); }));
  CHECK(watching.told("modify sub/changed"));
  CHECK(watching.host.accepted.back().data.json()["rescan"] == true);
  if (back == away) CHECK_FALSE(watching.told("modify sub/kept"));
  (void)watching.news();
  write(watching / "sub/kept", "and it goes on");
  CHECK(watching.news() == Lines{"modify sub/kept"});
}

TEST_CASE("watcher loss: a root that is deleted tells its files, and fails even while somebody is in it") {
  Watching watching;
  write(watching / "file");
  REQUIRE(watching.start().ok());
  const auto before = fs::current_path();
  fs::current_path(watching.options.path);
  fs::remove_all(watching.options.path);
  const bool failed = watching.until([&] { return !watching.host.failures.empty(); });
  fs::current_path(before);
  CHECK(failed);
  CHECK(watching.told() == Lines{"delete file"});
  watching.source->stop();
  CHECK_FALSE(watching.start().ok());
  fs::create_directory(watching.options.path);
  REQUIRE(watching.start().ok());
  CHECK(watching.news() == Lines{"delete file"});  // and nothing since
}

TEST_CASE("watcher loss: a folder above the root that is moved takes it away, too") {
  Watching watching;
  watching.options.path = watching / "a/b/root";
  fs::create_directories(watching.options.path);
  REQUIRE(watching.start().ok());
  fs::rename(watching / "a", watching / "z");
  CHECK(watching.until([&] { return !watching.host.failures.empty(); }));
}

TEST_CASE("watcher loss: without enough watches what can be watched is, the rest is scanned, and the cure is told") {
  bool raised = false;
  SUBCASE("and they stay too few") {}
  SUBCASE("and then there are enough") { raised = true; }
  const auto said = with_own_limits([raised] {
    Watching watching;
    LateClock late(std::chrono::milliseconds(14'900));  // the first try after 15 s is due at once, the second is not
    watching.clock = &late;
    for (int i = 0; i < 20; ++i) fs::create_directories(watching / ("folder" + std::to_string(i)));
    limit("watches", 10);
    if (!watching.start().ok()) return std::string("not started");
    std::string text = watching.host.degradations.empty() ? "not degraded" : watching.host.degradations.front().text();
    if (raised) limit("watches", 100);
    for (int i = 0; i < 20; ++i) write(watching / ("folder" + std::to_string(i) + "/file"));
    if (!watching.until([&] { return watching.told().size() == 20; })) return text + "; files missed";
    if (watching.host.recoveries != (raised ? 1 : 0)) return text + "; wrong state";
    if (!raised) return text + "; ok";
    for (int i = 0; i < 20; ++i) write(watching / ("folder" + std::to_string(i) + "/file"), "changed");
    if (!watching.until([&] { return watching.told().size() == 40; })) return text + "; changes missed";
    return text + "; ok";
  });
  if (!said) {
    MESSAGE("user namespaces are not allowed here");
    return;
  }
  CAPTURE(*said);
  CHECK(said->find("raise fs.inotify.max_user_watches (now ") != std::string::npos);
  CHECK(said->find("sysctl -w fs.inotify.max_user_watches=") != std::string::npos);
  CHECK(said->find("other folders") != std::string::npos);
  CHECK(said->ends_with("; ok"));
}

TEST_CASE("watcher loss: without an instance of inotify the start fails with the cure") {
  const auto said = with_own_limits([] {
    Watching watching;
    limit("instances", 0);
    const auto started = watching.start();
    return started ? std::string("started") : started.error().text();
  });
  if (!said) {
    MESSAGE("user namespaces are not allowed here");
    return;
  }
  CHECK(said->find("sysctl -w fs.inotify.max_user_instances=") != std::string::npos);
}
