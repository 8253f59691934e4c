#include "sources/git_fleet.h"

#include <chrono>
#include <filesystem>
#include <functional>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "sources/push_desk.h"
#include "tests/sources/git_bench.h"
#include "tests/support/bound_by_modes.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::GitBench;
using nlohmann::json;

namespace {

struct Bench : GitBench {
  Workers workers{"git", 2};
  PushDesk desk;

  Bench() { folder.shell(".", "mkdir -p git/plain git/deep/down"); }
  ~Bench() { source.reset(); }

  void repository(const std::string& name) {
    folder.git("git", "init -q -b main " + name);
    folder.commit("git/" + name, "a", "one");
  }
  void start(const std::string& pattern = "git/*") {
    source = make_git_fleet({"fleet", (folder / pattern).string(), {}, 20ms}, loop, clock, workers, host.marks, desk);
    const auto started = source->start(host);
    if (!started) FAIL(started.error().text());
  }
  void until_note(const std::string& note) {
    until([&] { return source->note() == note; });
  }
  // "two main" of the next event.
  std::string next() {
    const auto data = next_event().data.json();
    return std::filesystem::path(data["repository"].get<std::string>()).filename().string() + " " + data["branch"].get<std::string>() + (data["created"].get<bool>() ? " created" : "");
  }
};

}  // namespace

TEST_CASE("git_push, many: each repository of a pattern is watched, and no other folder") {
  Bench bench;
  bench.repository("one");
  bench.repository("two");
  bench.folder.git("git", "init -q --bare three.git");
  bench.start();
  CHECK(bench.source->note() == "3 repositories");
  bench.folder.commit("git/two", "b", "second");
  CHECK(bench.next() == "two main");
  bench.folder.git("git/one", "push -q ../three.git main");
  CHECK(bench.next() == "three.git main created");
  bench.folder.commit("git/one", "b", "second");
  CHECK(bench.next() == "one main");
  CHECK(bench.host.offered.size() == 3);
}

TEST_CASE("git_push, many: equal movements of two repositories are two events") {
  Bench bench;
  bench.repository("one");
  bench.folder.git("git", "clone -q one two");
  bench.start();
  bench.folder.shell("git", "git -C one branch x; git -C two branch x");
  CHECK(bench.next() != bench.next());
  for (const auto& event : bench.host.offered) CHECK(event.dedupe_key.ends_with("/" + event.data.json()["repository"].get<std::string>()));
}

TEST_CASE("git_push, many: one that comes later is told from its first branch on") {
  Bench bench;
  bench.repository("one");
  bench.start();
  bench.folder.git(".", "clone -q git/one git/two");
  CHECK(bench.next() == "two main created");
  bench.until_note("2 repositories");
  bench.folder.commit("git/two", "b", "second");
  CHECK(bench.next() == "two main");
}

TEST_CASE("git_push, many: what changed and what came while hark was away is told once at its next start") {
  Bench bench;
  bench.repository("one");
  bench.repository("two");
  bench.start();
  bench.folder.commit("git/one", "b", "second");
  CHECK(bench.next() == "one main");
  bench.source.reset();
  bench.folder.commit("git/two", "b", "second");
  bench.repository("three");
  bench.start();
  std::set<std::string> told{bench.next(), bench.next()};
  CHECK(told == std::set<std::string>{"three main created", "two main"});
  bench.source.reset();
  bench.start();
  bench.folder.commit("git/one", "c", "third");
  CHECK(bench.next() == "one main");
}

TEST_CASE("git_push, many: one that goes and comes back is told from where it stood, one that is damaged is named") {
  Bench bench;
  bench.repository("one");
  bench.repository("two");
  bench.start();
  bench.folder.shell(".", "mv git/two away");
  bench.until_note("1 repository");
  CHECK(bench.host.degradations.empty());
  bench.folder.commit("away", "b", "second");
  bench.folder.shell(".", "mv away git/two");
  CHECK(bench.next() == "two main");
  bench.folder.shell("git", "mv one/.git/HEAD one/head; printf broken >one/.git/config");
  bench.until([&] { return !bench.host.degradations.empty() && bench.host.degradations.back().message.find("/git/one") != std::string::npos; });
  bench.folder.shell("git", "mv one/head one/.git/HEAD; git init -q one 2>/dev/null; printf '[core]\\nrepositoryformatversion = 0\\n' >one/.git/config");
  bench.until_note("2 repositories");
  bench.until([&] { return bench.host.recoveries > 0; });
}

TEST_CASE("git_push, many: one that cannot be looked into is named, and known as it stands when it can") {
  const hark::test::BoundByModes bound;
  Bench bench;
  bench.repository("one");
  bench.repository("shut");
  bench.repository("deep/down/far");
  bench.folder.shell("git", "chmod 0 shut deep/down");
  SUBCASE("itself") {
    bench.start();
    bench.until([&] { return !bench.host.degradations.empty(); });
    CHECK(bench.host.degradations.back().message.find("git/shut cannot be looked into") != std::string::npos);
    CHECK(bench.source->note() == "1 repository");
    bench.folder.shell("git", "chmod 755 shut");
    bench.until_note("2 repositories");
    bench.folder.commit("git/shut", "b", "second");
    CHECK(bench.next() == "shut main");
  }
  SUBCASE("the folder it lies in") {
    bench.start("git/*/*/*");
    CHECK(bench.host.degradations.back().message.find("git/deep/down cannot be looked into, and 1 more") != std::string::npos);
    bench.folder.shell("git", "chmod 755 deep/down");
    bench.until_note("1 repository");
    bench.folder.commit("git/deep/down/far", "b", "second");
    CHECK(bench.next() == "far main");
  }
  bench.folder.shell("git", "chmod 755 shut deep/down");
}

TEST_CASE("git_push, many: the folder of all goes away: one word of it, and they go on from where they stood when it is back") {
  Bench bench;
  for (const auto* name : {"one", "two", "three"}) bench.repository(name);
  bench.start();
  bench.folder.shell(".", "mv git away");
  bench.until([&] { return !bench.host.degradations.empty(); });
  bench.until_note("0 repositories");
  for (const auto& each : bench.host.degradations) CHECK(each.message.find("there is no folder " + (bench.folder / "git").string()) == 0);
  bench.folder.commit("away/two", "b", "second");
  bench.folder.shell(".", "mv away git");
  CHECK(bench.next() == "two main");
  bench.until([&] { return bench.host.recoveries == 1; });
}

TEST_CASE("git_push, many: all share one instance of the kernel's watches") {
  Bench bench;
  bench.repository("one");
  bench.start();
  const auto instances = [] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      if (std::filesystem::read_symlink(entry, gone) == "anon_inode:inotify") ++count;
    }
    return count;
  };
  const auto before = instances();
  for (int i = 0; i < 20; ++i) bench.folder.git("git", "init -q --bare more-" + std::to_string(i));
  bench.until_note("21 repositories");
  CHECK(instances() == before);
  bench.folder.git("git/one", "push -q ../more-19 main");
  CHECK(bench.next() == "more-19 main created");
}
