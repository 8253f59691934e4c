// What a watched tree leaves out, with git itself as the judge.
#include "sources/ignore_files.h"

#include <doctest/doctest.h>

#include <random>
#include <set>
#include <sstream>

#include "sources/tree_events.h"
#include "tests/sources/watching.h"
#include "platform/clock.h"
#include "tests/support/git_folder.h"

using namespace hark;
using namespace hark::test;

namespace {

std::set<std::string> files_of(TreeEvents& events) {
  std::set<std::string> files;
  for_each_folder(events.tree().snapshot().root(), [&](Folder& folder) {
    folder.files.each([&](std::string_view name, const FileStamp&) { files.insert(folder.path_of(name)); });
  });
  return files;
}

TreeEvents watch(const fs::path& root, const Clock& clock) {
  return {root.string(), *FileSelection::parse({}), clock};
}

// What git would add, of an empty index: all that is not ignored.
std::set<std::string> files_of_git(const GitFolder& folder, const std::string& repository) {
  std::set<std::string> files;
  std::istringstream listed(folder.git(repository, "ls-files --others --exclude-standard"));
  for (std::string line; std::getline(listed, line);) files.insert(line);
  return files;
}

class RandomTree {
 public:
  RandomTree(unsigned seed, fs::path root) : random_(seed), root_(std::move(root)) {}

  void fill() {
    const auto folders = 3 + random_() % 12;
    for (unsigned i = 0; i < folders; ++i) folders_.push_back(folders_[random_() % folders_.size()] / name());
    for (const auto& folder : folders_) fs::create_directories(root_ / folder);
    for (int i = 0; i < 40; ++i) {
      const auto path = root_ / any_folder() / (name() + (random_() % 2 ? ".o" : ""));
      if (!fs::exists(path)) write(path);
    }
    for (unsigned i = 1 + random_() % 4; i > 0; --i) write_rules(any_folder());
  }
  void write_rules(const fs::path& folder) {
    std::string rules;
    for (unsigned i = 1 + random_() % 5; i > 0; --i) rules += rule() + "\n";
    write(root_ / folder / ".gitignore", rules);
  }
  fs::path any_folder() { return folders_[random_() % folders_.size()]; }

 private:
  std::string name() {
    static const std::vector<std::string> kNames = {"a", "b", "ab", "ba", "build", "x y", "src", "a[b", "#a", "!b", "a*"};
    return kNames[random_() % kNames.size()];
  }
  std::string rule() {
    static const std::vector<std::string> kParts = {"a",  "b",    "*",    "**",   "*.o", "a*",   "?",     "[ab]", "[!a]*", "build", "src",
                                                    "ab", "a**b", "\\#a", "\\!b", "#a",  "{a,b}", "x y", "a\\[b", "[a-b]?", "***", "\\a"};
    std::string rule = random_() % 4 == 0 ? "!" : "";
    if (random_() % 4 == 0) rule += "/";
    for (unsigned i = 1 + random_() % 3; i > 0; --i) rule += kParts[random_() % kParts.size()] + (i > 1 ? "/" : "");
    return rule + (random_() % 4 == 0 ? "/" : "") + (random_() % 8 == 0 ? "  " : "");
  }

  std::mt19937 random_;
  fs::path root_;
  std::vector<fs::path> folders_ = {""};
};

std::string all_rules(const fs::path& root) {
  std::string text;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().filename() != ".gitignore") continue;
    std::ifstream file(entry.path());
    text += "\n" + entry.path().string() + ":\n" + std::string(std::istreambuf_iterator<char>(file), {});
  }
  return text;
}

}  // namespace

TEST_CASE("ignore files: of random trees exactly the files are known that git does not ignore, also after the rules changed") {
  const SystemClock clock;
  for (unsigned seed = 1; seed <= 60; ++seed) {
    GitFolder folder;
    folder.git(".", "init -q r");
    RandomTree tree(seed, folder / "r");
    tree.fill();
    CAPTURE(seed);
    CAPTURE(all_rules(folder / "r"));
    auto events = watch(folder / "r", clock);
    ChangeSet changes;
    REQUIRE(events.open(inotify(), clock.now().steady, changes).ok());
    CHECK(files_of(events) == files_of_git(folder, "r"));

    for (int change = 0; change < 3; ++change) {
      const auto where = tree.any_folder();
      tree.write_rules(where);
      events.read(clock.now().steady, changes);
      CAPTURE(all_rules(folder / "r"));
      CHECK(files_of(events) == files_of_git(folder, "r"));
    }
    // Of the files only those that say the rules changed: no other came or went.
    for (const auto& told : changes.take(1000, 1'000'000)) CHECK(fs::path(told.path).filename() == ".gitignore");
  }
}

TEST_CASE("ignore files: what is ignored is not entered, and what comes into sight or leaves it is no change") {
  Watching watching;
  fs::create_directories(watching / "node_modules/deep");
  fs::create_directories(watching / "src");
  write(watching / ".gitignore", "node_modules/\n*.o\n!keep.o\n");
  write(watching / "node_modules/deep/old", "text");
  REQUIRE(watching.start().ok());
  write(watching / "node_modules/deep/x");
  write(watching / "src/a.o");
  write(watching / "src/keep.o");
  CHECK(watching.news() == Lines{"create src/keep.o"});

  watching.run_for(std::chrono::milliseconds(30));
  write(watching / ".gitignore", "*.c\n");  // one comes into sight, nothing is told of it, and from now on it is watched
  CHECK(watching.news() == Lines{"modify .gitignore"});
  write(watching / "node_modules/deep/old");
  write(watching / "src/b.o");
  write(watching / "src/b.c");
  CHECK(sorted(watching.news()) == Lines{"create src/b.o", "modify node_modules/deep/old"});

  fs::remove(watching / ".gitignore");
  CHECK(watching.news().back() == "delete .gitignore");
  write(watching / "src/late.c");
  CHECK(watching.news().back() == "create src/late.c");
}

TEST_CASE("ignore files: a change of the rules does not hide what changed at the same time") {
  Watching watching;
  fs::create_directories(watching / "build");
  write(watching / ".gitignore", "build/\n");
  write(watching / "build/old");
  write(watching / "gone");
  REQUIRE(watching.start().ok());
  write(watching / ".gitignore", "*.tmp\n");
  write(watching / "new");
  write(watching / "new.tmp");
  fs::remove(watching / "gone");
  CHECK(sorted(watching.news()) == Lines{"create new", "delete gone", "modify .gitignore"});
}

TEST_CASE("ignore files: with ignore_vcs = false nothing is left out") {
  Watching watching;
  watching.options.ignore_vcs = false;
  write(watching / ".gitignore", "*.o\n");
  REQUIRE(watching.start().ok());
  write(watching / "a.o");
  CHECK(watching.news() == Lines{"create a.o"});
}

TEST_CASE("ignore files: a folder of a repository goes by what stands above it, a repository within by its own rules") {
  const SystemClock clock;
  GitFolder folder;
  folder.git(".", "init -q r");
  fs::create_directories(folder / "r/watched/sub");
  folder.git("r/watched", "init -q inner");
  write(folder / "r/.gitignore", "*.o\n/watched/sub/x\n/watched/inner/y\n");
  write(folder / "r/.git/info/exclude", "*.excluded\n/watched/sub/z\n");
  write(folder / "r/watched/inner/.git/info/exclude", "*.mine\n");
  for (const auto* name : {"a.o", "a.excluded", "sub/x", "sub/y", "sub/z", "inner/a.o", "inner/a.mine", "inner/y", "inner/a.excluded"}) {
    write(folder / "r/watched" / name);
  }
  auto events = watch(folder / "r/watched", clock);
  ChangeSet changes;
  REQUIRE(events.open(inotify(), clock.now().steady, changes).ok());
  CHECK(files_of(events) == std::set<std::string>{"sub/y", "inner/a.o", "inner/y", "inner/a.excluded"});
}

TEST_CASE("ignore files: the user's own rules hold in a repository, and a folder that becomes one") {
  const SystemClock clock;
  GitFolder folder;
  folder.git(".", "init -q r");
  write(folder / "mine", "*.swp\n/top\n");
  folder.git("r", "config core.excludesFile " + (folder / "mine").string());
  fs::create_directories(folder / "r/sub");
  for (const auto* name : {"a.swp", "a", "top", "sub/top", "sub/b.swp"}) write(folder / "r" / name);
  ChangeSet changes;
  auto whole = watch(folder / "r", clock);
  REQUIRE(whole.open(inotify(), clock.now().steady, changes).ok());
  CHECK(files_of(whole) == std::set<std::string>{"a", "sub/top"});
  auto part = watch(folder / "r/sub", clock);
  REQUIRE(part.open(inotify(), clock.now().steady, changes).ok());
  CHECK(files_of(part) == std::set<std::string>{"top"});
}

TEST_CASE("ignore files: a root that is ignored itself is watched, as somebody named it") {
  const SystemClock clock;
  GitFolder folder;
  folder.git(".", "init -q r");
  fs::create_directories(folder / "r/build");
  write(folder / "r/.gitignore", "build/\n");
  write(folder / "r/build/a");
  auto events = watch(folder / "r/build", clock);
  ChangeSet changes;
  REQUIRE(events.open(inotify(), clock.now().steady, changes).ok());
  CHECK(files_of(events) == std::set<std::string>{"a"});
}

TEST_CASE("ignore files: a folder that is moved to where other rules hold tells what comes into sight and what goes") {
  Watching watching;
  fs::create_directories(watching / "open/sub");
  fs::create_directories(watching / "closed");
  write(watching / "closed/.gitignore", "*.o\n");
  write(watching / "open/sub/a.o");
  write(watching / "open/sub/a.c");
  REQUIRE(watching.start().ok());
  fs::rename(watching / "open/sub", watching / "closed/sub");
  CHECK(sorted(watching.news()) == Lines{"delete open/sub/a.o", "rename open/sub/a.c > closed/sub/a.c"});
  write(watching / "closed/sub/b.o");
  write(watching / "closed/sub/b.c");
  CHECK(watching.news() == Lines{"create closed/sub/b.c"});
}

TEST_CASE("ignore files: what is made right after a rule that shows it is told, however fast it came") {
  for (int round = 0; round < 12; ++round) {
    Watching watching;
    fs::create_directories(watching / "gen/old");
    write(watching / "gen/old/was");
    write(watching / ".gitignore", "gen/\n");
    REQUIRE(watching.start().ok());
    watching.run_for(std::chrono::milliseconds(30));
    if (round % 3 == 0) {
      write(watching / ".gitignore", "*.o\n");
    } else if (round % 3 == 1) {
      fs::remove(watching / ".gitignore");
    } else {
      write(watching / "rules", "*.o\n");
      fs::rename(watching / "rules", watching / ".gitignore");
    }
    Lines made;
    for (int i = 0; i < 40; ++i) {
      const auto name = (i % 2 ? "gen/" : "gen/new/") + std::to_string(i);
      fs::create_directories((watching / name).parent_path());
      write(watching / name);
      made.push_back("create " + name);
    }
    watching.until([&] { return std::all_of(made.begin(), made.end(), [&](const std::string& line) { return watching.told(line); }); });
    for (const auto& line : made) CHECK(watching.told(line));
    // Of a rule that was deleted it is not known when, only that it was a moment ago.
    if (round % 3 != 1) CHECK_FALSE(watching.told("create gen/old/was"));
  }
}

TEST_CASE("ignore files: rules that are cut short and never closed hold, too") {
  Watching watching;
  write(watching / ".gitignore", "*.o\n");
  REQUIRE(watching.start().ok());
  fs::resize_file(watching / ".gitignore", 0);
  REQUIRE(watching.until([&] { return watching.told("modify .gitignore"); }));
  write(watching / "a.o");
  CHECK(watching.until([&] { return watching.told("create a.o"); }));
}

TEST_CASE("ignore files: with catch_up what comes into sight or leaves it is kept, and no change at the next start") {
  Watching watching;
  watching.options.catch_up = true;
  fs::create_directories(watching / "build");
  fs::create_directories(watching / "src");
  write(watching / "build/a");
  write(watching / "src/m.c");
  write(watching / ".gitignore", "build/\n");
  REQUIRE(watching.start().ok());
  watching.run_for(std::chrono::milliseconds(30));
  write(watching / ".gitignore", "src/\n");
  CHECK(watching.news() == Lines{"modify .gitignore"});
  watching.source.reset();
  REQUIRE(watching.start().ok());
  CHECK(watching.news() == Lines{});

  watching.source.reset();
  write(watching / ".gitignore", "*\n!mark*\n");
  REQUIRE(watching.start().ok());
  CHECK(watching.news() == Lines{});  // of build/a that it was deleted would be a lie; the rules are ignored themselves
}
