// What the events of a tree come to when the disk is ahead of them: whatever is renamed while it is being watched and scanned.
#include "sources/tree_events.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "core/limits.h"
#include "tests/sources/watching.h"
#include "tests/support/fake_clock.h"

using namespace hark;
using namespace hark::test;

namespace {

class Tree {
 public:
  explicit Tree(const std::function<void(const fs::path& root)>& prepare = {}) {
    fs::create_directory(root());
    fs::create_directory(folder.path() / "outside");
    if (prepare) prepare(root());
    REQUIRE(events.open(inotify(), clock.now().steady, changes).ok());
  }

  fs::path root() const { return folder.path() / "root"; }
  fs::path operator/(const std::string& path) const { return root() / path; }
  fs::path outside(const std::string& path) const { return folder.path() / "outside" / path; }

  // Runs `work` once, when `where` is about to be watched ("watch") or listed ("list").
  void when(const std::string& where, const std::string& next, std::function<void()> work) {
    events.tree().seam = [this, where, next, work = std::move(work)](const std::string& at, std::string_view step) {
      if (at != where || step != next) return;
      const auto once = work;
      events.tree().seam = {};
      once();
    };
  }

  // Reads what there is, and lets pass what is waited for; takes the changes.
  void read() {
    events.read(clock.now().steady, changes);
    if (events.overflowed()) events.rescan(changes);
    clock.advance(limits::kOpenFileWait);
    events.settle(clock.now().steady, changes);
    for (const auto& change : changes.take(static_cast<std::size_t>(-1), static_cast<std::size_t>(-1))) {
      if (!change.from.empty()) files.erase(change.from);
      if (change.kind == Change::Kind::remove) {
        files.erase(change.path);
      } else {
        files.insert(change.path);
      }
    }
    events.refresh_stamps();
  }

  // Who reads the changes knows the files that are there, and hears of a new one in every folder.
  void check() {
    read();
    read();  // what the first one found may have waited for its writer
    CHECK(differences() == "");
    std::vector<fs::path> folders{root()};
    for (const auto& entry : fs::recursive_directory_iterator(root())) {
      if (entry.is_directory()) folders.push_back(entry.path());
    }
    for (const auto& each : folders) write(each / "later");
    read();
    CHECK(differences() == "");
    CHECK(watched_inodes().size() == folders.size() + 2);  // two above the root
  }

  std::string differences() const {
    const auto disk = on_disk();
    std::string lines;
    for (const auto& file : disk) {
      if (files.count(file) == 0) lines += "not told: " + file + "\n";
    }
    for (const auto& file : files) {
      if (disk.count(file) == 0) lines += "told, but not there: " + file + "\n";
    }
    return lines;
  }

  std::set<std::string> on_disk() const {
    std::set<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(root())) {
      if (!entry.is_directory()) found.insert(entry.path().lexically_relative(root()).string());
    }
    return found;
  }

  TemporaryFolder folder;
  ChangeSet changes;
  FakeClock clock;
  TreeEvents events{root().string(), *FileSelection::parse({}), clock};
  std::set<std::string> files;  // as told
};

void put(const fs::path& file) {
  fs::create_directories(file.parent_path());
  write(file);
}

// Makes, fills, renames and deletes folders of a few names, up to four deep, so that the threads get in each other's way.
void rummage(const Tree& tree, unsigned seed) {
  std::mt19937 random(seed);
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  const auto somewhere = [&] {
    fs::path path = below(8) == 0 ? tree.outside("") : tree.root();
    for (unsigned depth = 1 + below(4); depth > 0; --depth) path /= std::string(1, static_cast<char>('a' + below(5)));
    return path;
  };
  std::error_code ignored;  // what another thread has taken away meanwhile
  for (int step = 0; step < 500; ++step) {
    const auto path = somewhere(), other = somewhere();
    switch (below(8)) {
      case 0:
        fs::remove_all(path, ignored);
        break;
      case 1:
      case 2:
        fs::create_directories(path, ignored);
        write(path / ("file" + std::to_string(below(3))));
        break;
      case 3:
        fs::rename(path / "file1", other / "file2", ignored);
        break;
      case 4:
        renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
        break;
      default:
        fs::create_directories(path / "x/y", ignored);
        write(path / "x/y/file");
        fs::rename(path, other, ignored);
        write(other / "x/late");
    }
  }
}

void exchange(const fs::path& a, const fs::path& b) {
  REQUIRE(renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0);
}

}  // namespace

TEST_CASE("tree: a new folder that is renamed while it is scanned is told whole, and goes on being watched") {
  using Work = std::function<void(Tree&)>;
  const std::map<std::string, Work> works = {
      {"renamed", [](Tree& tree) { fs::rename(tree / "a", tree / "r"); }},
      {"renamed twice",
       [](Tree& tree) {
         fs::rename(tree / "a", tree / "r");
         fs::rename(tree / "r", tree / "s");
       }},
      {"renamed, and another one takes its place",
       [](Tree& tree) {
         fs::rename(tree / "a", tree / "r");
         put(tree / "a/b/c/other");
       }},
      {"renamed, and another one takes its place for a moment",
       [](Tree& tree) {
         fs::rename(tree / "a", tree / "r");
         put(tree.outside("x/b/c/other"));
         fs::rename(tree.outside("x"), tree / "a");
         tree.when("a/b/c", "list", [&tree] { fs::rename(tree / "a", tree.outside("x")); });
       }},
      {"an inner one is renamed", [](Tree& tree) { fs::rename(tree / "a/b", tree / "a/z"); }},
      {"an inner one moves up", [](Tree& tree) { fs::rename(tree / "a/b", tree / "b"); }},
      {"an inner one moves up and takes the place of its folder",
       [](Tree& tree) {
         fs::rename(tree / "a/b", tree / "b");
         fs::remove(tree / "a");
         fs::rename(tree / "b", tree / "a");
       }},
      {"it leaves the tree", [](Tree& tree) { fs::rename(tree / "a", tree.outside("a")); }},
      {"it leaves the tree and comes back",
       [](Tree& tree) {
         fs::rename(tree / "a", tree.outside("a"));
         write(tree.outside("a/b/c/more"));
         fs::rename(tree.outside("a"), tree / "back");
       }},
      {"it is deleted, and made again",
       [](Tree& tree) {
         fs::remove_all(tree / "a");
         put(tree / "a/b/new");
       }},
  };
  for (const auto& [name, work] : works) {
    for (const auto* folder : {"a", "a/b", "a/b/c"}) {
      for (const auto* step : {"watch", "list"}) {
        CAPTURE(name);
        CAPTURE(folder);
        CAPTURE(step);
        Tree tree;
        bool done = false;
        put(tree / "a/b/c/file");
        tree.when(folder, step, [&, &work = work] {
          done = true;
          work(tree);
        });
        tree.check();
        CHECK(done);
      }
    }
  }
}

TEST_CASE("tree: what is renamed while older events wait in the queue is told whole, and goes on being watched") {
  const auto prepare = [](const fs::path& root) {
    put(root / "a/b/old");
    put(root / "y/b/old");
    fs::create_directory(root / "empty");
  };
  Tree tree(prepare);
  tree.files = tree.on_disk();
  SUBCASE("a file is made in a folder above which one is renamed") {
    write(tree / "a/b/new");
    fs::rename(tree / "a", tree / "r");
  }
  SUBCASE("a file comes from outside into a folder above which one is renamed") {
    write(tree.outside("new"));
    fs::rename(tree.outside("new"), tree / "a/b/new");
    fs::rename(tree / "a", tree / "r");
  }
  SUBCASE("a file is made and deleted, and a folder above it renamed") {
    write(tree / "a/b/new");
    fs::remove(tree / "a/b/new");
    fs::rename(tree / "a", tree / "r");
  }
  SUBCASE("a folder is made and renamed, another one takes the name and goes again") {
    put(tree / "x/1");
    fs::rename(tree / "x", tree / "z");
    put(tree / "x/2");
    tree.when("x", "list", [&] { fs::remove_all(tree / "x"); });
  }
  SUBCASE("a folder leaves and another one takes its name") {
    fs::rename(tree / "a", tree.outside("a"));
    fs::rename(tree / "y", tree / "a");
  }
  SUBCASE("a folder is renamed onto an empty one") {
    REQUIRE(std::rename((tree / "a").c_str(), (tree / "empty").c_str()) == 0);
  }
  SUBCASE("two folders change places") { exchange(tree / "a", tree / "y"); }
  SUBCASE("two files change places, and one with another outside") {
    put(tree.outside("o"));
    exchange(tree / "a/b/old", tree / "y/b/old");
    exchange(tree.outside("o"), tree / "y/b/old");
  }
  SUBCASE("a folder changes places with one outside the tree") {
    put(tree.outside("o/b/other"));
    exchange(tree / "a", tree.outside("o"));
  }
  SUBCASE("a folder outside the tree changes places with one inside") {
    put(tree.outside("o/b/other"));
    exchange(tree.outside("o"), tree / "a");
  }
  SUBCASE("a folder changes places with an empty one deeper down") {
    fs::create_directory(tree / "y/empty");
    exchange(tree / "a", tree / "y/empty");
  }
  SUBCASE("a long known folder moves into a new one that is renamed") {
    fs::create_directories(tree / "n/m");
    fs::rename(tree / "a", tree / "n/m/a");
    fs::rename(tree / "n", tree / "o");
    write(tree / "o/m/a/b/new");
  }
  SUBCASE("a folder trades its place with the one inside it") {
    fs::rename(tree / "a/b", tree / "b");
    fs::rename(tree / "a", tree / "b/a");
    fs::rename(tree / "b", tree / "a");
  }
  SUBCASE("a chain of renames, with writes in between") {
    for (const auto* name : {"r", "s", "t"}) {
      const auto last = tree / (std::string(name) == "r" ? "a" : std::string(1, static_cast<char>(name[0] - 1)));
      fs::rename(last, tree / name);
      write(tree / (std::string(name) + "/b/" + name));
      put(tree / (std::string(name) + "/" + name + "/deep/file"));
    }
  }
  tree.check();
}

// The kernel makes a rename visible first and queues its event then; meanwhile the queue may be seen empty.
TEST_CASE("tree: a rename that is seen before the kernel tells of it") {
  Tree tree([](const fs::path& root) { put(root / "k/b/file"); });
  tree.files = tree.on_disk();
  const std::map<std::string, std::function<void()>> works = {
      {"a new folder, found but not listed", [&] {
         tree.when("a", "list", [&] { fs::rename(tree / "a", tree / "r"), tree.events.tree().withheld = true; });
         put(tree / "a/b/file");
       }},
      {"a new folder, and another one is listed in its place", [&] {
         put(tree.outside("x/b/other"));
         tree.when("a", "list", [&] { exchange(tree / "a", tree.outside("x")), tree.events.tree().withheld = true; });
         put(tree / "a/b/file");
         tree.read();
         exchange(tree / "a", tree.outside("x"));
         fs::rename(tree / "a", tree / "r");
       }},
      {"an inner folder, while it is scanned", [&] {
         put(tree.outside("y/b/other"));
         tree.when("a/b", "watch", [&] { exchange(tree / "a", tree / "k"), tree.events.tree().withheld = true; });
         put(tree / "a/b/inner");
       }},
  };
  for (const auto& [name, work] : works) {
    CAPTURE(name);
    work();
    tree.read();
    tree.events.tree().withheld = false;
    tree.check();
    tree.clock.advance(limits::kLateEvent);
    fs::remove_all(tree / "a");
    fs::remove_all(tree / "r");
    tree.check();
  }
}

TEST_CASE("tree: a folder that has long been known is moved without a scan") {
  const auto prepare = [](const fs::path& root) {
    put(root / "a/b/file");
    put(root / "n/file");
  };
  Tree tree(prepare);
  Lines scanned;
  tree.events.tree().seam = [&](const std::string& folder, std::string_view next) {
    if (next == "list") scanned.push_back(folder);
  };
  tree.clock.advance(limits::kLateEvent);
  fs::rename(tree / "a", tree / "r");
  tree.read();
  CHECK(scanned.empty());

  put(tree / "new/deep/file");
  tree.read();
  CHECK(scanned == Lines{"new", "new/deep"});
  scanned.clear();
  tree.clock.advance(limits::kLateEvent);
  fs::rename(tree / "new", tree / "newer");
  fs::rename(tree / "r", tree / "newer/deep/r");
  tree.read();
  CHECK(scanned.empty());
  tree.files = tree.on_disk();
  tree.check();
}

TEST_CASE("tree: whatever several threads make of it, in the end every file is told and every folder watched") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  Tree tree;
  std::atomic<int> running = 4;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      rummage(tree, seed + i);
      --running;
    });
  }
  while (running > 0) tree.read();
  for (auto& thread : threads) thread.join();
  tree.check();
}
