#include "sources/file_watcher.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "core/base64.h"
#include "tests/sources/watching.h"

using namespace hark;
using namespace hark::test;

namespace {

std::uint64_t inode_of(const fs::path& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

}  // namespace

TEST_CASE("watcher: what is there at the start is no news, what happens afterwards is") {
  Watching watching;
  write(watching / "old");
  write(watching / "doomed");
  REQUIRE(watching.start().ok());
  CHECK(watching.news().empty());

  write(watching / "new");
  CHECK(watching.news() == Lines{"create new"});
  write(watching / "old", "longer");
  CHECK(watching.news() == Lines{"modify old"});
  fs::remove(watching / "doomed");
  CHECK(watching.news() == Lines{"delete doomed"});
  fs::rename(watching / "new", watching / "newer");
  CHECK(watching.news() == Lines{"rename new > newer"});
  fs::create_symlink("nowhere", watching / "link");
  fs::create_hard_link(watching / "old", watching / "second");
  CHECK(watching.news() == Lines{"create link", "create second"});
}

TEST_CASE("watcher: an event names its root, its files and what happened to them") {
  Watching watching;
  fs::create_directory(watching / "sub");
  REQUIRE(watching.start().ok());
  write(watching / "sub/file");
  REQUIRE(watching.until([&] { return !watching.host.events.empty(); }));
  const auto& event = watching.host.events.front();
  const auto root = watching.options.path.string();
  CHECK(event.type == "file_change");
  CHECK(event.source == "code");
  CHECK(event.subject == root + "/sub/file");
  CHECK(event.data.json() == nlohmann::json{{"root", root},
                                            {"files", {root + "/sub/file"}},
                                            {"changes", {{{"path", "sub/file"}, {"kind", "create"}}}}});

  fs::create_directory(watching / "a");
  watching.source->stop();
  fs::rename(watching / "sub/file", watching / "a/moved");
  REQUIRE(watching.start().ok());
  REQUIRE(watching.until([&] { return watching.host.events.size() > 1; }));
  CHECK(watching.host.events.back().data.json() ==
        nlohmann::json{{"root", root},
                       {"files", {root + "/a/moved"}},
                       {"rescan", true},
                       {"changes", {{{"path", "a/moved"}, {"kind", "rename"}, {"from", "sub/file"}}}}});
}

TEST_CASE("watcher: an editor's save by rename is one modify, in whatever pieces it is read") {
  Watching watching;
  write(watching / "file");
  REQUIRE(watching.start().ok());
  write(watching / "file.tmp", "new");
  fs::rename(watching / "file.tmp", watching / "file");
  CHECK(watching.news() == Lines{"modify file"});
  fs::rename(watching / "file", watching / "file~");
  write(watching / "file", "newer");
  fs::remove(watching / "file~");
  CHECK(watching.news() == Lines{"modify file"});
  write(watching / "gone");
  fs::remove(watching / "gone");
  CHECK(watching.news().empty());
}

TEST_CASE("watcher: folders made in a burst, with files in them at once: each file is told exactly once") {
  Watching watching;
  REQUIRE(watching.start().ok());
  constexpr int kFolders = 200, kFiles = 5;
  bool concurrent = false;
  SUBCASE("while nobody reads") {}
  SUBCASE("while they are being read") { concurrent = true; }
  const auto burst = [root = watching / ""] {
    for (int i = 0; i < kFolders; ++i) {
      const auto nested = root / ("a" + std::to_string(i % 7)) / ("b" + std::to_string(i % 31)) / ("c" + std::to_string(i));
      fs::create_directories(nested);
      for (int file = 0; file < kFiles; ++file) write(nested / std::to_string(file));
    }
  };
  std::thread other;
  if (concurrent) {
    other = std::thread(burst);
  } else {
    burst();
  }
  // A file that a scan found while its writer had it open comes a moment after later ones.
  const bool all = watching.until([&] { return watching.told("create a3/b13/c199/4"); }) && watching.until([&] {
    const auto lines = watching.told();
    return std::count_if(lines.begin(), lines.end(), [](const auto& line) { return line.starts_with("create "); }) >= kFolders * kFiles;
  });
  if (other.joinable()) other.join();
  CHECK(all);
  (void)watching.news();
  std::map<std::string, int> times;
  int created = 0;
  for (const auto& line : watching.told()) ++times[line];
  for (const auto& [line, count] : times) {
    CAPTURE(line);
    // A writer that is held up while its file is open is told of twice, and rightly.
    const bool late = concurrent && line.starts_with("modify ");
    if (!late) CHECK(line.starts_with("create "));
    CHECK(count == 1);
    created += line.starts_with("create ") ? 1 : 0;
  }
  CHECK(created == kFolders * kFiles + 1);
}

TEST_CASE("watcher: a tree that is deleted is told file by file, and its watches are given back") {
  Watching watching;
  fs::create_directories(watching / "a/b/c");
  write(watching / "a/1");
  write(watching / "a/b/c/2");
  REQUIRE(watching.start().ok());
  const auto before = watched_inodes().size();
  fs::remove_all(watching / "a");
  auto news = watching.news();
  std::sort(news.begin(), news.end());
  CHECK(news == Lines{"delete a/1", "delete a/b/c/2"});
  CHECK(watched_inodes().size() == before - 3);
}

TEST_CASE("watcher: moves into the tree, out of it and within it") {
  Watching watching;
  const auto outside = watching.folder / "outside";
  fs::create_directories(outside / "sub");
  write(outside / "file");
  write(outside / "sub/deep");
  write(watching / "mine");
  REQUIRE(watching.start().ok());

  fs::rename(outside / "file", watching / "file");
  CHECK(watching.news() == Lines{"create file"});
  fs::rename(watching / "mine", outside / "mine");
  REQUIRE(watching.until([&] { return watching.told("delete mine"); }));
  (void)watching.news();

  fs::rename(outside / "sub", watching / "sub");
  CHECK(watching.news() == Lines{"create sub/deep"});
  fs::create_directory(watching / "other");
  CHECK(watching.news().empty());
  fs::rename(watching / "sub", watching / "other/sub");
  CHECK(watching.news() == Lines{"rename sub/deep > other/sub/deep"});
  write(watching / "other/sub/deep", "the watch came along");
  write(watching / "other/sub/new");
  CHECK(watching.news() == Lines{"modify other/sub/deep", "create other/sub/new"});

  const auto before = watched_inodes();
  const auto moved = inode_of(watching / "other/sub");
  CHECK(before.count(moved) == 1);
  fs::rename(watching / "other/sub", outside / "sub");
  REQUIRE(watching.until([&] { return watching.told("delete other/sub/deep") && watching.told("delete other/sub/new"); }));
  (void)watching.news();
  write(outside / "sub/deep", "no longer ours");
  CHECK(watching.news().empty());
  CHECK(watched_inodes().count(moved) == 0);
}

TEST_CASE("watcher: a folder that is moved to where other patterns hold tells what comes into sight and what goes") {
  Watching watching;
  watching.options.patterns = {"src/**/*.py", "doc/**/*.md", "mark*"};
  fs::create_directories(watching / "src/x");
  fs::create_directory(watching / "doc");
  write(watching / "src/x/a.py");
  write(watching / "src/x/b.md");
  REQUIRE(watching.start().ok());
  fs::rename(watching / "src/x", watching / "doc/x");
  CHECK(watching.news() == Lines{"create doc/x/b.md", "delete src/x/a.py"});
  fs::rename(watching / "doc/x/b.md", watching / "doc/x/b.txt");
  CHECK(watching.news() == Lines{"delete doc/x/b.md"});
  fs::rename(watching / "doc/x/b.txt", watching / "doc/x/c.md");
  CHECK(watching.news() == Lines{"create doc/x/c.md"});
}

TEST_CASE("watcher: only the kinds that were asked for") {
  Watching watching;
  watching.options.events = {"create"};
  write(watching / "old");
  REQUIRE(watching.start().ok());
  write(watching / "old", "changed");
  fs::rename(watching / "old", watching / "older");
  fs::remove(watching / "older");
  write(watching / "new");
  CHECK(watching.news() == Lines{"create new"});
}

TEST_CASE("watcher: excluded, ignored and version control folders are not even watched") {
  Watching watching;
  watching.options.patterns = {"!build/**", "!node_modules"};
  watching.options.ignore = {watching / ".hark", watching / "state.json"};
  for (const auto* name : {".git/objects", "build/x/y", "node_modules/z", ".hark", "src/CVS", "src/deep"}) {
    fs::create_directories(watching / name);
  }
  const auto before = watched_inodes().size();
  REQUIRE(watching.start().ok());
  const auto watched = watched_inodes();
  for (const auto* name : {".git", ".git/objects", "build", "build/x", "node_modules", "node_modules/z", ".hark", "src/CVS"}) {
    CAPTURE(name);
    CHECK(watched.count(inode_of(watching / name)) == 0);
  }
  const std::size_t above = 2;  // /tmp and the folder the root is in: told when the root is moved with them
  CHECK(watched.size() == before + above + 3);

  fs::create_directory(watching / "src/.svn");
  fs::create_directory(watching / "src/node_modules");
  write(watching / "src/.svn/x");
  write(watching / "state.json");
  write(watching / ".hark/journal.db");
  write(watching / "build/out");
  write(watching / "src/deep/file");
  write(watching / "state.json.not");
  CHECK(watching.news() == Lines{"create src/deep/file", "create state.json.not"});
  CHECK(watched_inodes().size() == watched.size());
  watching.source->stop();
  CHECK(watched_inodes().size() == before);
}

TEST_CASE("watcher: one file is watched through its folder, so that a replaced file is still the one") {
  Watching watching;
  watching.options.path = watching / "hosts";
  write(watching / "hosts");
  fs::create_directory(watching / "sub");
  REQUIRE(watching.start().ok());
  write(watching / "other");
  write(watching / "sub/hosts");
  write(watching / "hosts.tmp");
  fs::rename(watching / "hosts.tmp", watching / "hosts");
  REQUIRE(watching.until([&] { return watching.told("modify hosts"); }));
  fs::remove(watching / "hosts");
  REQUIRE(watching.until([&] { return watching.told("delete hosts"); }));
  write(watching / "hosts");
  REQUIRE(watching.until([&] { return watching.told("create hosts"); }));
  CHECK(watching.told() == Lines{"modify hosts", "delete hosts", "create hosts"});
  CHECK(watching.host.events.front().subject == (watching / "hosts").string());
  CHECK(watching.host.events.front().data.json()["root"] == (watching / "").parent_path().string());
}

TEST_CASE("watcher: a file that stays open is told after a while, again as it goes on, and not once more for its close") {
  Watching watching;
  REQUIRE(watching.start().ok());
  const int log = ::open((watching / "log").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  REQUIRE(log >= 0);
  REQUIRE(::write(log, "one\n", 4) == 4);
  CHECK(watching.news().empty());  // not before it has had time to be closed
  REQUIRE(watching.until([&] { return watching.told("create log"); }));
  CHECK(watching.news() == Lines{"create log"});
  REQUIRE(::write(log, "two\n", 4) == 4);
  REQUIRE(watching.until([&] { return watching.told("modify log"); }));
  CHECK(watching.news() == Lines{"modify log"});
  ::close(log);
  CHECK(watching.news().empty());
}

TEST_CASE("watcher: what is refused is kept, merged with what comes after, and offered again") {
  Watching watching;
  LateClock late(std::chrono::milliseconds(900));  // the first pause is over after 100 ms
  watching.clock = &late;
  write(watching / "a");
  write(watching / "b");
  REQUIRE(watching.start().ok());
  watching.host.refuse = 1;
  write(watching / "a", "changed");
  REQUIRE(watching.until([&] { return watching.host.events.size() == 1; }));
  write(watching / "b", "changed");
  REQUIRE(watching.until([&] { return !watching.host.accepted.empty(); }));
  CHECK(watching.told() == Lines{"modify a", "modify b"});
  CHECK(watching.host.events.size() == 2);
}

TEST_CASE("watcher: what is refused again and again is offered until it is taken") {
  Watching watching;
  LateClock late(std::chrono::hours(1));  // no pause at all
  watching.clock = &late;
  write(watching / "a");
  REQUIRE(watching.start().ok());
  watching.host.refuse = 10;
  write(watching / "a", "changed");
  REQUIRE(watching.until([&] { return !watching.host.accepted.empty(); }));
  CHECK(watching.host.events.size() == 11);
}

TEST_CASE("watcher: what was refused and undone since is not told") {
  Watching watching;
  REQUIRE(watching.start().ok());
  watching.host.refuse = 1;
  write(watching / "a");
  REQUIRE(watching.until([&] { return watching.host.events.size() == 1; }));
  fs::remove(watching / "a");
  CHECK(watching.news().empty());
}

TEST_CASE("watcher: a refusal that is answered after the stop is offered after the next start") {
  Watching watching;
  REQUIRE(watching.start().ok());
  watching.host.refuse = 1;
  write(watching / "a");
  // One turn: the offer is made, its answer is waiting.
  while (watching.host.events.empty()) watching.loop.run_once(std::chrono::milliseconds(100));
  watching.source->stop();
  watching.loop.run_once(std::chrono::milliseconds(10));
  CHECK(watching.host.events.size() == 1);
  REQUIRE(watching.start().ok());
  CHECK(watching.news() == Lines{"create a"});
}

TEST_CASE("watcher: an answer that comes after the watcher is gone does no harm") {
  Watching watching;
  REQUIRE(watching.start().ok());
  watching.host.refuse = 1;
  write(watching / "a");
  while (watching.host.events.empty()) watching.loop.run_once(std::chrono::milliseconds(100));
  watching.source.reset();
  watching.loop.run_once(std::chrono::milliseconds(10));
  CHECK(watching.host.accepted.empty());
}

TEST_CASE("watcher: with a window, what happens in it is one event") {
  Watching watching;
  watching.options.gather = std::chrono::milliseconds(100);
  REQUIRE(watching.start().ok());
  write(watching / "a");
  write(watching / "b");
  REQUIRE(watching.until([&] { return !watching.host.events.empty(); }));
  REQUIRE(watching.host.events.size() == 1);
  CHECK(lines_of(watching.host.events.front()) == Lines{"create a", "create b"});
  CHECK(watching.host.events.front().subject == watching.options.path.string());
}

TEST_CASE("watcher: more names than one event may hold come in several") {
  Watching watching;
  const auto outside = watching.folder / "outside";
  fs::path deep = outside;
  for (int i = 0; i < 10; ++i) deep /= std::string(250, 'x');
  fs::create_directories(deep);
  constexpr std::size_t kFiles = 500;  // of 2,500 bytes each: more than a megabyte of names
  for (std::size_t i = 0; i < kFiles; ++i) write(deep / std::to_string(i), "");
  REQUIRE(watching.start().ok());
  fs::rename(outside, watching / "in");
  REQUIRE(watching.until([&] { return watching.told().size() >= kFiles; }));
  CHECK(watching.host.events.size() == 2);
  CHECK(watching.told().size() == kFiles);
}

TEST_CASE("watcher: a name that is no UTF-8 is told, with a sign in place of what cannot be written") {
  Watching watching;
  fs::create_directory(watching / "d\xfe");
  REQUIRE(watching.start().ok());
  write(watching / "d\xfe/bad\xff.txt");
  write(watching / "line\nbreak");
  CHECK(watching.news() == Lines{"create d\xef\xbf\xbd/bad\xef\xbf\xbd.txt", "create line\nbreak"});
  const auto data = nlohmann::json::parse(watching.host.accepted.front().data.text());
  CHECK(data["changes"][0]["path_base64"] == to_base64("d\xfe/bad\xff.txt"));
  CHECK_FALSE(data["changes"].back().contains("path_base64"));
}
