// The other ways to watch: looked through, by fanotify, what changed while nobody watched, files that have to stand still.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <algorithm>

#include "sources/fanotify.h"
#include "tests/sources/watching.h"

using namespace hark;
using namespace hark::test;
using namespace std::chrono_literals;
using Backend = FileWatcherOptions::Backend;

namespace {

bool mounted(const char* type, const fs::path& at, const std::string& options) {
  if (mount(type, at.c_str(), type, 0, options.c_str()) == 0) return true;
  MESSAGE("not tested here: " << type << " cannot be mounted");
  return false;
}

struct Mounted {
  explicit Mounted(fs::path path) : at(std::move(path)) {}
  ~Mounted() { umount2(at.c_str(), MNT_DETACH); }
  fs::path at;
};

}  // namespace

TEST_CASE("watcher ways: what is looked through tells what changed since the last time") {
  Watching watching;
  watching.options.backend = Backend::poll;
  watching.options.poll_interval = 1ms;
  write(watching / "old");
  write(watching / "doomed");
  write(watching / "moving");
  fs::create_directory(watching / "folder");
  REQUIRE(watching.start().ok());
  CHECK(watching.source->note() == "not looked through yet");
  REQUIRE(watching.until([&] { return watching.source->note().starts_with("polled every "); }));
  CHECK(watching.news() == Lines{});

  write(watching / "old", "longer text");
  fs::remove(watching / "doomed");
  fs::rename(watching / "moving", watching / "folder/moved");
  write(watching / "folder/new");
  REQUIRE(watching.until([&] { return watching.told().size() == 5; }));
  CHECK(sorted(watching.news()) == Lines{"create folder/new", "delete doomed", "modify old", "rename moving > folder/moved"});

  fs::rename(watching.folder / "root", watching.folder / "elsewhere");
  REQUIRE(watching.until([&] { return !watching.host.failures.empty(); }));
  CHECK(watching.host.failures[0].message.find("root does not exist") != std::string::npos);
  watching.source->stop();
  write(watching.folder / "elsewhere/old", "other text");
  fs::rename(watching.folder / "elsewhere", watching.folder / "root");
  REQUIRE(watching.start().ok());
  CHECK(watching.until([&] { return watching.told("modify old") && watching.told().size() == 6; }));
}

TEST_CASE("watcher ways: a watcher that polls ends while a worker looks through the tree") {
  Watching watching;
  watching.options.backend = Backend::poll;
  for (int i = 0; i < 300; ++i) write(watching / ("file" + std::to_string(i)));
  for (int round = 0; round < 20; ++round) {
    REQUIRE(watching.start().ok());
    watching.source->stop();
    if (round % 2 == 1) watching.source.reset();
  }
  watching.options.poll_interval = 1ms;
  watching.source.reset();
  REQUIRE(watching.start().ok());
  REQUIRE(watching.until([&] { return watching.source->note().starts_with("polled"); }));
  CHECK(watching.news() == Lines{});
}

TEST_CASE("watcher ways: one mark of fanotify tells what a watch on every folder does") {
  if (!Fanotify::open()) {
    MESSAGE("not tested here: fanotify takes CAP_SYS_ADMIN");
    return;
  }
  Watching watching;
  watching.options.backend = Backend::fanotify;
  fs::create_directories(watching / "a/b");
  write(watching / "a/b/old");
  REQUIRE(watching.start().ok());
  const auto before = watched_inodes().size();
  fs::create_directories(watching / "c/d/e");
  write(watching / "c/d/e/new");
  write(watching / "a/b/old", "longer text");
  CHECK(sorted(watching.news()) == Lines{"create c/d/e/new", "modify a/b/old"});
  CHECK(watched_inodes().size() == before);
  fs::rename(watching / "a", watching / "c/a");
  CHECK(watching.news() == Lines{"rename a/b/old > c/a/b/old"});
  write(watching.folder / "outside");
  for (int i = 0; i < 3; ++i) write(watching / "again"), fs::remove(watching / "again");
  write(watching / "again");
  CHECK(watching.news() == Lines{"create again"});
  fs::remove_all(watching / "c");
  CHECK(watching.news() == Lines{"delete c/a/b/old", "delete c/d/e/new"});
  fs::rename(watching.folder / "root", watching.folder / "elsewhere");
  REQUIRE(watching.until([&] { return !watching.host.failures.empty(); }));
  CHECK(watching.host.failures[0].message.find("was moved away") != std::string::npos);
}

TEST_CASE("watcher ways: what is mounted over a part of the tree is another tree, and so is what is there when it goes") {
  Watching watching;
  fs::create_directories(watching / "at/sub");
  write(watching / "at/below");
  REQUIRE(watching.start().ok());
  {
    if (!mounted("tmpfs", watching / "at", "")) return;
    const Mounted mount(watching / "at");
    REQUIRE(watching.until([&] { return watching.told("delete at/below"); }));
    write(watching / "at/above");
    CHECK(watching.news() == Lines{"delete at/below", "create at/above"});
  }
  REQUIRE(watching.until([&] { return watching.told("create at/below"); }));
  write(watching / "at/sub/new");
  CHECK(sorted(watching.news()) == Lines{"create at/below", "create at/sub/new", "delete at/above"});
  CHECK(watching.host.failures.empty());

  if (!mounted("tmpfs", watching / "", "")) return;
  const Mounted mount(watching / "");
  REQUIRE(watching.until([&] { return watching.told("delete at/sub/new"); }));
  write(watching / "first");
  CHECK(watching.news().back() == "create first");
}

TEST_CASE("watcher ways: what is made where nothing was when it was looked for first is new") {
  Watching watching;
  watching.options.path = watching / "late";
  SUBCASE("a folder") {}
  SUBCASE("with its files known") { watching.options.catch_up = true; }
  SUBCASE("polled") { watching.options.backend = Backend::poll; }
  SUBCASE("polled, with its files known") {
    watching.options.backend = Backend::poll;
    watching.options.catch_up = true;
  }
  REQUIRE_FALSE(watching.start().ok());
  fs::create_directories(watching / "late/sub");
  write(watching / "late/sub/first");
  REQUIRE(watching.start().ok());
  CHECK(watching.until([&] { return watching.told("create sub/first"); }));
  CHECK(watching.told() == Lines{"create sub/first"});
}

TEST_CASE("watcher ways: a file that was not there when it was looked for first is new, what is mounted there is not") {
  Watching watching;
  watching.options.path = watching / "late/one";
  REQUIRE_FALSE(watching.start().ok());
  SUBCASE("a file") {
    fs::create_directory(watching / "late");
    write(watching / "late/one");
    REQUIRE(watching.start().ok());
    CHECK(watching.until([&] { return watching.told("create one"); }));
  }
  SUBCASE("a file system") {
    fs::create_directory(watching / "late");
    if (!mounted("tmpfs", watching / "late", "")) return;
    const Mounted mount(watching / "late");
    fs::create_directory(watching / "late/one");
    write(watching / "late/one/old");
    REQUIRE(watching.start().ok());
    write(watching / "late/one/new");
    CHECK(watching.until([&] { return watching.told("create new"); }));
    CHECK(watching.told() == Lines{"create new"});
  }
}

TEST_CASE("watcher ways: what is mounted from beside it is not new either") {
  Watching watching;
  watching.options.path = watching / "late";
  REQUIRE_FALSE(watching.start().ok());
  fs::create_directory(watching.folder / "beside");
  write(watching.folder / "beside/old");
  fs::create_directory(watching / "late");
  if (mount((watching.folder / "beside").c_str(), (watching / "late").c_str(), nullptr, MS_BIND, nullptr) != 0) return;
  const Mounted mount(watching / "late");
  REQUIRE(watching.start().ok());
  write(watching / "late/new");
  CHECK(watching.until([&] { return watching.told("create new"); }));
  CHECK(watching.told() == Lines{"create new"});
}

TEST_CASE("watcher ways: overlay is looked through besides, so that what came from below is told as well") {
  Watching watching;
  for (const auto* name : {"lower", "upper", "work"}) fs::create_directory(watching.folder / name);
  fs::create_directory(watching.folder / "lower/sub");
  write(watching.folder / "lower/sub/old");
  const auto in = [&](const char* name) { return (watching.folder / name).string(); };
  if (!mounted("overlay", watching / "", "lowerdir=" + in("lower") + ",upperdir=" + in("upper") + ",workdir=" + in("work"))) return;
  const Mounted mount(watching / "");
  watching.options.poll_interval = 20ms;
  REQUIRE(watching.start().ok());
  CHECK(watching.source->note() == "looked through every 20ms besides: overlay");
  write(watching / "own");
  CHECK(watching.news() == Lines{"create own"});
  write(watching.folder / "lower/sub/other");
  REQUIRE(watching.until([&] { return watching.told("create sub/other"); }));
  write(watching.folder / "lower/sub/old", "longer text");
  REQUIRE(watching.until([&] { return watching.told("modify sub/old"); }));
  CHECK(watching.news() == Lines{"create sub/other", "modify sub/old"});
}

TEST_CASE("watcher ways: with catch_up a start tells exactly what changed while nobody watched") {
  Watching watching;
  watching.options.catch_up = true;
  fs::create_directories(watching / "a/b");
  write(watching / "a/b/kept");
  write(watching / "changed");
  write(watching / "doomed");
  write(watching / "moving");
  REQUIRE(watching.start().ok());
  CHECK(watching.news() == Lines{});  // nothing was known before: what is there is no news
  write(watching / "told");
  write(watching / "changed", "once");
  CHECK(sorted(watching.news()) == Lines{"create told", "modify changed"});

  SUBCASE("inotify") {}
  SUBCASE("polled") {
    watching.options.backend = Backend::poll;
    watching.options.poll_interval = 1ms;
  }
  watching.source.reset();
  REQUIRE(watching.start().ok());
  CHECK(watching.news() == Lines{});  // all that happened was told

  watching.source.reset();
  write(watching / "changed", "twice and longer");
  fs::remove(watching / "doomed");
  fs::rename(watching / "moving", watching / "a/moved");
  write(watching / "a/new");
  REQUIRE(watching.start().ok());
  REQUIRE(watching.until([&] { return watching.told("create a/new"); }));
  CHECK(sorted(watching.news()) == Lines{"create a/new", "delete doomed", "modify changed", "rename moving > a/moved"});
  watching.source.reset();
  REQUIRE(watching.start().ok());
  CHECK(watching.news() == Lines{});
}

TEST_CASE("watcher ways: with catch_up a file that was replaced by a rename is told once") {
  Watching watching;
  watching.options.catch_up = true;
  for (int i = 0; i < 50; ++i) write(watching / ("old" + std::to_string(i)));
  REQUIRE(watching.start().ok());
  for (int i = 0; i < 50; ++i) {
    for (const auto* name : {"old", "new"}) {
      write(watching / "temporary", "longer text");
      fs::rename(watching / "temporary", watching / (name + std::to_string(i)));
    }
  }
  REQUIRE(watching.until([&] { return watching.told("create new49") && watching.told("modify old49"); }));
  watching.news();
  watching.source.reset();
  REQUIRE(watching.start().ok());
  CHECK(watching.news() == Lines{});
}

TEST_CASE("watcher ways: a file system in the tree can be unmounted while it is watched") {
  Watching watching;
  fs::create_directories(watching / "at");
  SUBCASE("inotify") {}
  SUBCASE("polled") {
    watching.options.backend = Backend::poll;
    watching.options.poll_interval = 1ms;
  }
  SUBCASE("fanotify") { watching.options.backend = Backend::fanotify; }
  if (!mounted("tmpfs", watching / "at", "")) return;
  const Mounted mount(watching / "at");
  write(watching / "at/file");
  if (!watching.start().ok()) return;
  watching.run_for(30ms);
  CHECK(watching.until([&] { return umount2((watching / "at").c_str(), 0) == 0; }));
}

TEST_CASE("watcher ways: with catch_up also what was not asked for, refused or not told yet is found") {
  Watching watching;
  watching.options.catch_up = true;
  watching.options.events = {"create", "delete"};
  write(watching / "old");
  REQUIRE(watching.start().ok());
  write(watching / "old", "longer");
  write(watching / "gone");
  CHECK(watching.news() == Lines{"create gone"});
  watching.host.refuse = 1000;
  write(watching / "refused");
  REQUIRE(watching.until([&] { return watching.host.refuse < 1000; }));
  watching.source.reset();
  watching.host.refuse = 0;
  fs::remove(watching / "old");
  fs::remove(watching / "gone");
  REQUIRE(watching.start().ok());
  REQUIRE(watching.until([&] { return watching.told("delete old"); }));
  CHECK(sorted(watching.news()) == Lines{"create refused", "delete gone", "delete old"});
}

TEST_CASE("watcher ways: what is kept for catch_up is of one tree; another one begins anew, and so does one that did without for a while") {
  Watching watching;
  watching.options.catch_up = true;
  write(watching / "a.c");
  write(watching / "a.h");
  watching.options.patterns = {"*.c"};
  REQUIRE(watching.start().ok());
  watching.source.reset();
  SUBCASE("other patterns") { watching.options.patterns = {"*.c", "*.h", "mark*"}; }
  SUBCASE("a while without") {
    watching.options.catch_up = false;
    REQUIRE(watching.start().ok());
    CHECK(watching.marks.kept.empty());
    watching.source.reset();
    write(watching / "a.c", "longer");
    watching.options.catch_up = true;
    watching.options.patterns = {"*.c", "mark*"};
  }
  REQUIRE(watching.start().ok());
  CHECK(watching.news() == Lines{});
}

TEST_CASE("watcher ways: with settle = stable a change counts when the file stands still") {
  Watching watching;
  watching.options.still_for = 1s;  // longer than any pause of a busy machine between two of the writes
  write(watching / "old");
  REQUIRE(watching.start().ok());
  for (int i = 0; i < 20; ++i) {  // closed each time, and never still
    std::ofstream(watching / "growing", std::ios::app) << "line\n";
    std::ofstream(watching / "old", std::ios::app) << "line\n";
    watching.run_for(20ms);
  }
  write(watching / "passing");
  fs::remove(watching / "passing");
  REQUIRE(watching.until([&] { return watching.told("create growing") && watching.told("modify old"); }));
  CHECK(sorted(watching.news()) == Lines{"create growing", "modify old"});
  fs::rename(watching / "growing", watching / "grown");
  CHECK(watching.news() == Lines{"rename growing > grown"});
}

TEST_CASE("watcher ways: what does not stand still yet is handed over to the one that comes") {
  Watching watching;
  watching.options.still_for = 1h;
  REQUIRE(watching.start().ok());
  write(watching / "new");
  watching.run_for(50ms);
  watching.source->hand_over();
  watching.until([&] { return watching.told("create new"); });
  CHECK(watching.told() == Lines{"create new"});
}
