#include "sources/git_refs.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <random>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "platform/clock.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "sources/push_desk.h"
#include "sources/commit_text.h"
#include "sources/marks.h"
#include "sources/repository_owner.h"
#include "tests/sources/git_bench.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::GitBench;
using nlohmann::json;

namespace {

WantedRefs branches(std::vector<std::string> patterns) { return {std::move(patterns), std::nullopt}; }

const std::string kZeros(40, '0');

struct Bench : GitBench {
  Workers workers{"git", 2};
  PushDesk desk;

  Bench() { folder.git(".", "init -q -b main work"); }
  ~Bench() { source.reset(); }

  Status start(const std::string& repository = "work", WantedRefs wanted = {}) {
    source = make_git_refs({"pushes", folder / repository, std::move(wanted)}, loop, clock, workers, host.marks, desk);
    return source->start(host);
  }
  void must_start(const std::string& repository = "work", WantedRefs wanted = {}) {
    const Status status = start(repository, std::move(wanted));
    if (!status) FAIL(status.error().text());
  }

  Event next() { return next_event(); }
  json next_data() { return next().data.json(); }

  // True when what was done so far brings no event: the next one is that of a branch made for the purpose.
  bool quiet(const std::string& repository = "work") {
    const std::string marker = "marker-" + std::to_string(++markers_);
    folder.git(repository, "branch " + marker + " main");
    return next_data()["branch"] == marker;
  }

 private:
  int markers_ = 0;
};

std::vector<std::string> messages(const json& data) {
  std::vector<std::string> all;
  for (const auto& commit : data["commits"]) all.push_back(commit["message"]);
  return all;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("git_push: a commit is one event that tells who, what and which files") {
  Bench bench;
  const auto before = bench.folder.commit("work", "README", "first");
  bench.must_start();
  const auto after = bench.folder.commit("work", "src/a b.cpp", "second");
  const Event event = bench.next();
  CHECK(event.type == "git_push");
  CHECK(event.source == "pushes");
  CHECK(event.subject == "refs/heads/main");
  CHECK(event.dedupe_key.starts_with("git/pushes/refs/heads/main/" + before + "/" + after + "/"));
  const json data = event.data.json();
  CHECK(data["repository"] == (bench.folder / "work").string());
  CHECK(data["ref"] == "refs/heads/main");
  CHECK(data["branch"] == "main");
  CHECK(data["before"] == before);
  CHECK(data["after"] == after);
  CHECK(data["created"] == false);
  CHECK(data["deleted"] == false);
  CHECK(data["forced"] == false);
  CHECK(data["files"] == json{"src/a b.cpp"});
  CHECK(data["changed_files"] == data["files"]);
  CHECK(data["author"] == json{{"name", "Ada Author"}, {"email", "ada@example.org"}});
  CHECK(data["message"] == "second");
  REQUIRE(data["commits"].size() == 1);
  CHECK(data["commits"][0]["id"] == after);
  CHECK(data["commits"][0]["author"]["email"] == "ada@example.org");
  CHECK(from_rfc3339(data["commits"][0]["time"].get<std::string>()).has_value());
  CHECK_FALSE(data.contains("commits_truncated"));
  CHECK_FALSE(data.contains("incomplete"));
}

TEST_CASE("git_push: several commits pushed into a bare repository are one event, newest first") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.folder.git(".", "clone -q --bare work bare.git");
  bench.folder.git("work", "remote add origin ../bare.git");
  bench.must_start("bare.git");
  bench.folder.commit("work", "b", "two");
  bench.folder.commit("work", "c", "three");
  bench.folder.commit("work", "a", "four");
  bench.folder.git("work", "push -q origin main");
  const json data = bench.next_data();
  CHECK(messages(data) == Texts{"four", "three", "two"});
  CHECK(data["files"] == json{"a", "b", "c"});
}

TEST_CASE("git_push: branches of one push come in the order of their names") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.folder.git(".", "clone -q --bare work bare.git");
  bench.must_start("bare.git");
  for (const char* name : {"zeta", "alpha", "feature/x"}) bench.folder.git("work", std::string("branch ") + name);
  bench.source->stop();  // so that the push is not cut in two by a reading
  bench.folder.git("work", "push -q ../bare.git zeta feature/x alpha");
  REQUIRE(bench.source->start(bench.host));
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) names.push_back(bench.next_data()["branch"]);
  CHECK(names == Texts{"alpha", "feature/x", "zeta"});
}

TEST_CASE("git_push: a created branch tells only what no other branch had, compared with where it left them") {
  Bench bench;
  bench.folder.commit("work", "base", "base");
  bench.must_start();
  bench.folder.git("work", "checkout -q -b feature/deep/er");
  CHECK(bench.next_data()["commits"].empty());
  bench.folder.git("work", "checkout -q main");
  const auto main = bench.folder.commit("work", "on-main", "main went on");
  CHECK(bench.next_data()["after"] == main);

  // Made elsewhere, so that the branch appears with all its commits, one of them a merge of main.
  bench.folder.git(".", "clone -q work other");
  bench.folder.git("other", "checkout -q -b topic HEAD~1");
  bench.folder.commit("other", "topic-1", "one");
  bench.folder.git("other", "merge -q -m merged origin/main");
  bench.folder.commit("other", "topic-2", "two");
  bench.folder.git("other", "push -q origin topic");
  const json data = bench.next_data();
  CHECK(data["branch"] == "topic");
  CHECK(data["before"] == kZeros);
  CHECK(data["created"] == true);
  CHECK(data["forced"] == false);
  CHECK(messages(data) == Texts{"two", "merged", "one"});
  CHECK(data["files"] == json{"topic-1", "topic-2"});
}

TEST_CASE("git_push: a branch with a history of its own is compared with nothing") {
  Bench bench;
  bench.folder.commit("work", "base", "base");
  bench.must_start();
  bench.folder.git("work", "checkout -q --orphan pages");
  bench.folder.commit("work", "index.html", "pages");
  const json data = bench.next_data();
  CHECK(messages(data) == Texts{"pages"});
  CHECK(data["files"] == json{"base", "index.html"});
}

TEST_CASE("git_push: the first commit of an empty repository creates its branch") {
  Bench bench;
  bench.must_start();
  const auto after = bench.folder.commit("work", "a", "first");
  const json data = bench.next_data();
  CHECK(data["before"] == kZeros);
  CHECK(data["after"] == after);
  CHECK(data["files"] == json{"a"});
}

TEST_CASE("git_push: a deleted branch moves to zeros, loose or packed, and its folder may go with it") {
  Bench bench;
  const auto tip = bench.folder.commit("work", "a", "one");
  bench.folder.git("work", "branch packed/one");
  bench.folder.git("work", "pack-refs --all");
  bench.folder.git("work", "branch loose/one");
  bench.must_start();
  for (const std::string name : {"loose/one", "packed/one"}) {
    bench.folder.git("work", "branch -q -D " + name);
    const json data = bench.next_data();
    CHECK(data["branch"] == name);
    CHECK(data["before"] == tip);
    CHECK(data["after"] == kZeros);
    CHECK(data["deleted"] == true);
    CHECK(data["forced"] == false);
    CHECK(data["commits"].empty());
    CHECK(data["files"].empty());
    CHECK(data["message"] == "");
  }
  bench.folder.git("work", "branch loose/two");  // the folder is another one now
  CHECK(bench.next_data()["branch"] == "loose/two");
  bench.folder.commit("work", "b", "two");
  bench.next();
  bench.folder.git("work", "branch -f loose/two main");
  CHECK(bench.next_data()["branch"] == "loose/two");
}

TEST_CASE("git_push: an amended commit is forced, also when the old one was pruned") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  const auto before = bench.folder.commit("work", "b", "two");
  bench.must_start();
  bench.folder.git("work", "commit -q --amend -m 'two, better'");
  json data = bench.next_data();
  CHECK(data["forced"] == true);
  CHECK(data["before"] == before);
  CHECK(messages(data) == Texts{"two, better"});
  CHECK(data["files"].empty());  // the trees are the same

  bench.source->stop();
  bench.folder.git("work", "commit -q --amend -m 'two, best'");
  bench.folder.git("work", "reflog expire --expire=now --all");
  bench.folder.git("work", "gc -q --prune=now");
  REQUIRE(bench.source->start(bench.host));
  data = bench.next_data();
  CHECK(data["forced"] == true);
  CHECK(data["message"] == "two, best");
  CHECK_FALSE(data.contains("incomplete"));
}

TEST_CASE("git_push: packing, collecting garbage, tags, stashes, remotes, checkouts and the index are no pushes") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.folder.git("work", "branch other");
  bench.folder.git(".", "clone -q work upstream");
  bench.folder.commit("upstream", "up", "upstream");
  bench.must_start();
  bench.folder.git("work", "pack-refs --all");
  CHECK(bench.quiet());
  bench.folder.git("work", "tag -a v1 -m v1");
  bench.folder.git("work", "tag light");
  bench.folder.shell("work", "echo x > a && git stash -q && git stash drop -q");
  bench.folder.git("work", "checkout -q other");
  bench.folder.git("work", "checkout -q --detach");
  bench.folder.git("work", "checkout -q main");
  bench.folder.git("work", "fetch -q ../upstream main:refs/remotes/up/main");
  bench.folder.git("work", "gc -q");
  CHECK(bench.quiet());
  const auto after = bench.folder.commit("work", "b", "after packing");
  CHECK(bench.next_data()["after"] == after);
}

TEST_CASE("git_push: branch patterns choose, and a star crosses slashes") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.must_start("work", branches({"main", "release/*"}));
  for (const char* name : {"feature", "released", "release/1.0/rc", "mainline"})
    bench.folder.git("work", std::string("branch ") + name);
  CHECK(bench.next_data()["branch"] == "release/1.0/rc");
  bench.folder.commit("work", "b", "two");
  CHECK(bench.next_data()["branch"] == "main");
  CHECK(bench.host.offered.size() == 2);
}

TEST_CASE("git_push: tags are told where they are wanted: made, moved, deleted, packed, annotated") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.folder.git("work", "tag v0");
  bench.must_start("work", {std::nullopt, {{"v*"}}});
  const auto two = bench.folder.commit("work", "b", "two");
  bench.folder.git("work", "tag nightly");
  bench.folder.git("work", "tag -a -m 'the first' v1");
  json data = bench.next_data();
  CHECK(data["ref"] == "refs/tags/v1");
  CHECK(data["tag"] == "v1");
  CHECK_FALSE(data.contains("branch"));
  CHECK(data["after"] == bench.folder.tip("work", "refs/tags/v1"));  // the tag object, as git's hooks have it
  CHECK(data["commit"] == two);
  CHECK(data["created"] == true);
  CHECK(data["forced"] == false);
  CHECK(data["message"] == "two");
  REQUIRE(data["commits"].size() == 1);  // what v0 had not
  CHECK(data["commits"][0]["id"] == two);
  CHECK(data["files"] == json::array({"b"}));

  const auto three = bench.folder.commit("work", "c/d", "three");
  bench.folder.git("work", "tag -f v1");
  data = bench.next_data();
  CHECK(data["forced"] == true);
  CHECK(data["created"] == false);
  CHECK(data["after"] == three);
  CHECK(data["commit"] == three);
  CHECK(data["files"] == json::array({"c/d"}));

  bench.folder.git("work", "pack-refs --all");
  bench.folder.git("work", "tag v2");
  CHECK(bench.next_data()["tag"] == "v2");
  bench.folder.git("work", "tag -d v1");
  data = bench.next_data();
  CHECK(data["tag"] == "v1");
  CHECK(data["deleted"] == true);
  CHECK_FALSE(data.contains("commit"));
  CHECK(bench.host.offered.size() == 4);
}

TEST_CASE("git_push: branches and tags beside each other, each by its own names") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.must_start("work", {{{"main"}}, {{"v*"}}});
  bench.folder.git("work", "branch v1");
  bench.folder.git("work", "tag v1");
  bench.folder.git("work", "tag main");
  CHECK(bench.next().subject == "refs/tags/v1");
  bench.folder.commit("work", "a", "two");
  CHECK(bench.next().subject == "refs/heads/main");
  CHECK(bench.host.offered.size() == 2);
}

TEST_CASE("git_push: each file comes with what happened to it, a rename as one") {
  Bench bench;
  bench.folder.shell("work", "mkdir sub; echo moved > old; echo kept > same; echo gone > gone; echo 1 > twin-a; echo 1 > twin-b");
  bench.folder.commit("work", "a", "one");
  bench.must_start();
  bench.folder.shell("work", "git mv old sub/new; git rm -q gone; git mv twin-a x; git mv twin-b y; ln -sf a same; echo new > created");
  bench.folder.commit("work", "a", "two");
  const json data = bench.next_data();
  CHECK(data["changes"] == json::parse(R"([{"kind": "modify", "path": "a"}, {"kind": "create", "path": "created"}, {"kind": "delete", "path": "gone"},
      {"kind": "modify", "path": "same"}, {"kind": "rename", "path": "sub/new", "from": "old"}, {"kind": "rename", "path": "x", "from": "twin-a"},
      {"kind": "rename", "path": "y", "from": "twin-b"}])"));
  CHECK(data["files"] == json::array({"a", "created", "gone", "same", "sub/new", "x", "y"}));
}

TEST_CASE("git_push: moves that a hook told of are each an event, in order, and what it did not see is one more") {
  Bench bench;
  const auto one = bench.folder.commit("work", "a", "one");
  bench.must_start();
  const auto two = bench.folder.commit("work", "a", "two"), three = bench.folder.commit("work", "a", "three");
  bench.folder.git("work", "reset -q --hard " + one);
  const auto four = bench.folder.commit("work", "b", "four"), five = bench.folder.commit("work", "b", "five");
  const std::string main = "refs/heads/main", nothing(40, '1');
  // Nobody has looked yet: the loop did not run since. A commit that is not there was seen by nobody; other references are nobody's.
  CHECK(bench.desk.tell(bench.folder / "work/.git", {{main, one, nothing}, {main, one, two}, {main, two, three}, {main, three, one}, {"refs/heads/x", kZeros, two}, {main, one, four}}) == 1);
  std::vector<std::pair<std::string, std::string>> moves;
  while (moves.empty() || moves.back().second != five) {
    const auto data = bench.next_data();
    moves.emplace_back(data["before"], data["after"]);
  }
  CHECK(moves == std::vector<std::pair<std::string, std::string>>{{one, two}, {two, three}, {three, one}, {one, four}, {four, five}});
  CHECK(bench.desk.tell(bench.folder / "work/.git", {{main, one, two}}) == 1);  // told already
  CHECK(bench.quiet());
  CHECK(bench.desk.tell(bench.folder / "elsewhere", {}) == 0);
  bench.source.reset();
  CHECK(bench.desk.tell(bench.folder / "work/.git", {}) == 0);
}

TEST_CASE("git_push: a move that a hook told of too late is not taken for a later one") {
  Bench bench;
  const auto one = bench.folder.commit("work", "a", "one"), two = bench.folder.commit("work", "a", "two"), three = bench.folder.commit("work", "a", "three");
  bench.must_start();
  const auto four = bench.folder.commit("work", "a", "four");
  bench.desk.tell(bench.folder / "work/.git", {{"refs/heads/main", one, two}});
  CHECK(bench.next_data()["after"] == four);
  bench.folder.git("work", "reset -q --hard " + one);
  CHECK(bench.next_data()["after"] == one);
  const auto five = bench.folder.commit("work", "b", "five");
  CHECK(bench.next_data()["after"] == five);
}

TEST_CASE("git_push: work trees linked to one repository are seen from each of them") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.folder.git("work", "worktree add -q -b linked ../linked");
  SUBCASE("from the linked one") {
    bench.must_start("linked");
    const auto there = bench.folder.commit("linked", "b", "in the linked one");
    CHECK(bench.next_data()["after"] == there);
    bench.folder.commit("work", "c", "in the main one");
    CHECK(bench.next_data()["branch"] == "main");
    bench.folder.git("work", "worktree remove --force ../linked");
    bench.until([&] { return !bench.host.failures.empty(); });
    CHECK(bench.host.failures.front().message.find("linked is not there") != std::string::npos);
  }
  SUBCASE("from the main one") {
    bench.must_start("work/.git");
    bench.folder.commit("linked", "b", "in the linked one");
    CHECK(bench.next_data()["branch"] == "linked");
  }
  SUBCASE("by its .git file") {
    bench.must_start("linked/.git");
    bench.folder.commit("linked", "b", "in the linked one");
    CHECK(bench.next_data()["branch"] == "linked");
  }
}

TEST_CASE("git_push: a submodule's repository lies elsewhere and is found") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.folder.git(".", "init -q -b main outer");
  bench.folder.git("outer", "submodule --quiet add ../work inner");
  bench.must_start("outer/inner");
  bench.folder.commit("outer/inner", "b", "inside");
  CHECK(bench.next_data()["message"] == "inside");
}

TEST_CASE("git_push: a reference written without git's care is seen") {
  Bench bench;
  const auto one = bench.folder.commit("work", "a", "one");
  bench.folder.commit("work", "a", "two");
  bench.must_start();
  bench.folder.shell("work", "echo " + one + " > .git/refs/heads/by-hand");
  CHECK(bench.next_data()["branch"] == "by-hand");
}

TEST_CASE("git_push: an alias of a branch moves with it") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.folder.git("work", "symbolic-ref refs/heads/master refs/heads/main");
  bench.must_start("work", branches({"master"}));
  const auto after = bench.folder.commit("work", "b", "two");
  const json data = bench.next_data();
  CHECK(data["branch"] == "master");
  CHECK(data["after"] == after);
}

TEST_CASE("git_push: a refused event is offered again and holds up no other branch") {
  Bench bench;
  const auto before = bench.folder.commit("work", "a", "one");
  bench.folder.git("work", "branch other");
  bench.must_start();
  bench.host.refusals_left = 1;
  bench.host.refuse_only = "refs/heads/main";
  bench.folder.commit("work", "b", "two");
  bench.until([&] { return bench.host.offered.size() == 1; });
  bench.folder.git("work", "branch -f other main");
  CHECK(bench.next_data()["branch"] == "other");
  CHECK(bench.host.taken.empty());
  const auto after =
      bench.folder.commit("work", "c", "three");  // the branch went on meanwhile: one movement, from where it was known
  const json data = bench.next_data();
  CHECK(data["before"] == before);
  CHECK(data["after"] == after);
  CHECK(messages(data) == Texts{"three", "two"});
  CHECK(bench.host.refusals_left == 0);
}

TEST_CASE("git_push: each movement has its own key, and keeps it when its answer was lost") {
  Bench bench;
  const auto one = bench.folder.commit("work", "a", "one");
  const auto two = bench.folder.commit("work", "a", "two");
  bench.must_start();
  std::vector<std::string> keys;
  for (const std::string& target : {one, two, one, two}) {
    bench.folder.git("work", "update-ref refs/heads/main " + target);
    keys.push_back(bench.next().dedupe_key);
  }
  CHECK(keys[0] != keys[2]);
  CHECK(keys[1] != keys[3]);

  bench.host.hold_answers = true;
  bench.folder.git("work", "update-ref refs/heads/main " + one);
  const auto first = bench.next();
  bench.source->stop();
  bench.host.held_answers.at(0)({Acceptance::Outcome::accepted, "id", 1, ""});  // too late to be heard
  bench.host.hold_answers = false;
  REQUIRE(bench.source->start(bench.host));
  const auto again = bench.next();
  CHECK(again.dedupe_key == first.dedupe_key);
  bench.folder.git("work", "update-ref refs/heads/main " + two);
  CHECK(bench.next().dedupe_key != keys[1]);
}

TEST_CASE("git_push: what moves while hark is away is told once at its next start, and nothing else") {
  Bench bench;
  const auto one = bench.folder.commit("work", "a", "one");
  for (const char* branch : {"still", "goes", "moves"}) bench.folder.git("work", std::string("branch ") + branch);
  bench.must_start();
  CHECK(bench.quiet());
  bench.source.reset();
  const auto two = bench.folder.commit("work", "a", "two");
  bench.folder.git("work", "branch -f moves main");
  bench.folder.git("work", "branch -D goes");
  bench.folder.git("work", "branch comes main");
  bench.must_start();
  std::map<std::string, json> told;
  for (int i = 0; i < 4; ++i) {
    auto data = bench.next_data();
    told[data["branch"]] = data;
  }
  CHECK(told["main"]["before"] == one);
  CHECK(told["main"]["after"] == two);
  CHECK(told["moves"]["before"] == one);
  CHECK(told["goes"]["deleted"] == true);
  CHECK(told["comes"]["created"] == true);
  CHECK(bench.quiet());
  bench.source.reset();
  bench.must_start();
  CHECK(bench.quiet());
}

TEST_CASE("git_push: a movement whose answer the process did not live to hear keeps its key") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.must_start();
  bench.host.refusals_left = 1;  // stored by nobody, as when the power goes
  bench.folder.commit("work", "a", "two");
  bench.until([&] { return !bench.host.offered.empty(); });
  const auto key = bench.host.offered.front().dedupe_key;
  bench.source.reset();
  bench.must_start();
  CHECK(bench.next().dedupe_key == key);
}

TEST_CASE("git_push: branches that were not wanted before are known as they stand, and so is another repository") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.folder.git("work", "branch side");
  bench.must_start("work", branches({"main"}));
  bench.source.reset();
  bench.folder.git("work", "update-ref refs/heads/side " + bench.folder.commit("work", "a", "two"));
  bench.must_start("work", branches({"side", "marker-*"}));
  CHECK(bench.quiet());
  bench.source.reset();
  bench.must_start();
  CHECK(bench.quiet());
  bench.source.reset();
  bench.folder.git(".", "clone -q work other");
  bench.must_start("other");
  CHECK(bench.quiet("other"));
}

TEST_CASE("git_push: stop ends everything, and what moves before the next start is told then") {
  Bench bench;
  const auto before = bench.folder.commit("work", "a", "one");
  bench.must_start();
  bench.source->stop();
  bench.source->stop();
  bench.folder.commit("work", "b", "two");
  const auto after = bench.folder.commit("work", "b", "three");
  while (bench.loop.run_once(0ms)) {
  }
  CHECK(bench.host.offered.empty());
  REQUIRE(bench.source->start(bench.host));
  const json data = bench.next_data();
  CHECK(data["before"] == before);
  CHECK(data["after"] == after);
}

TEST_CASE("git_push: a source destroyed while a reading is under way is not touched by it") {
  for (int i = 0; i < 20; ++i) {
    Bench bench;
    bench.folder.commit("work", "a", "one");
    bench.must_start();
    bench.folder.commit("work", "b", "two");
    bench.loop.run_once(1s);  // inotify
    for (int turn = 0; turn < i % 4; ++turn) bench.loop.run_once(20ms);
    bench.source.reset();
    while (bench.loop.run_once(20ms)) {
    }
  }
}

TEST_CASE("git_push: a repository that vanishes is said so, and its changes are told once it is back") {
  Bench bench;
  const auto before = bench.folder.commit("work", "a", "one");
  bench.folder.git(".", "clone -q work copy");
  bench.must_start();
  bench.folder.shell(".", "mv work elsewhere");
  bench.until([&] { return !bench.host.failures.empty(); });
  CHECK(bench.host.failures.front().message.find("is not there") != std::string::npos);
  CHECK(bench.host.failures.front().cure.find("git clone") != std::string::npos);
  CHECK_FALSE(bench.source->start(bench.host));  // as if it had been stopped
  bench.host.failures.clear();
  bench.folder.shell(".", "mv copy work");
  const auto after = bench.folder.commit("work", "b", "two");
  REQUIRE(bench.source->start(bench.host));
  const json data = bench.next_data();
  CHECK(data["before"] == before);
  CHECK(data["after"] == after);
}

TEST_CASE("git_push: a repository replaced by another at its place is the one that is watched from then on") {
  Bench bench;
  bench.folder.shell(".", "mkdir above && mv work above/work");
  const auto before = bench.folder.commit("above/work", "a", "one");
  bench.folder.shell(".", "cp -r above other");
  const auto after = bench.folder.commit("other/work", "b", "two");
  bench.must_start("above/work");
  SUBCASE("it alone") { bench.folder.shell(".", "mv above/work old && mv other/work above/work"); }
  SUBCASE("a folder above it") { bench.folder.shell(".", "mv above old && mv other above"); }
  SUBCASE("its .git") { bench.folder.shell(".", "mv above/work/.git old && mv other/work/.git above/work/.git"); }
  json data = bench.next_data();
  CHECK(data["before"] == before);
  CHECK(data["after"] == after);
  bench.folder.commit("above/work", "c", "three");
  CHECK(bench.next_data()["message"] == "three");
}

TEST_CASE("git_push: what cannot be opened is an error with its cure") {
  Bench bench;
  bench.folder.shell(".", "mkdir -p plain work/sub");
  bench.folder.git(".", "init -q --object-format=sha256 long");
  bench.folder.git(".", "init -q tables");
  bench.folder.shell("tables", "git config core.repositoryformatversion 1; git config extensions.refStorage reftable");
  struct Case {
    std::string repository, message, cure;
  };
  for (const auto& [repository, message, cure] : std::vector<Case>{
           {"nowhere", "is not there", "git clone"},
           {"plain", "is no git repository", "git init"},
           {"work/sub", "is no git repository", "name the repository it lies in: " + (bench.folder / "work").string()},
           {"long", "names its objects by sha256", "SHA-1 clone"},
           {"tables", "extensions.refstorage = reftable", "a clone of it"},
       }) {
    const Status status = bench.start(repository);
    REQUIRE_FALSE(status);
    CHECK(status.error().message.find(message) != std::string::npos);
    CHECK(status.error().message.find((bench.folder / repository).string()) != std::string::npos);
    CHECK(status.error().cure.find(cure) != std::string::npos);
  }
}

TEST_CASE("git_push: another user's repository is refused with what git wants to hear") {
  if (geteuid() != 0) return;  // only root can become somebody else
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.folder.shell(".", "chmod 755 . && chmod -R a+rX work && chown -R 12345 work");
  CHECK(bench.start());
  bench.source->stop();
  REQUIRE(seteuid(23456) == 0);
  const Status status = bench.start();
  REQUIRE(seteuid(0) == 0);
  REQUIRE_FALSE(status);
  CHECK(status.error().message.find("belongs to user 12345, hark runs as user 23456") != std::string::npos);
  CHECK(status.error().cure.find("safe.directory " + (bench.folder / "work").string()) != std::string::npos);
}

TEST_CASE("git_push: a repository that may not be read is an error with its cure") {
  if (geteuid() != 0) return;
  Bench bench;
  bench.folder.shell(".", "chmod 755 . && chmod 700 work");
  REQUIRE(seteuid(23456) == 0);
  const Status status = bench.start();
  REQUIRE(seteuid(0) == 0);
  REQUIRE_FALSE(status);
  CHECK(status.error().message.find("permission denied") != std::string::npos);
}

TEST_CASE("git_push: extensions that git switches on by itself are no hindrance") {
  Bench bench;
  bench.folder.commit("work", "a/a", "one");
  bench.folder.git("work", "sparse-checkout set a");
  bench.folder.git("work", "config core.repositoryformatversion 1");
  bench.folder.git("work", "config extensions.partialClone origin");
  bench.must_start();
  bench.folder.commit("work", "a/b", "two");
  CHECK(bench.next_data()["files"] == json{"a/b"});
}

TEST_CASE("git_push: root reads any repository, others their own, root's, and what git was told to trust") {
  CHECK(owner_status("/srv/x", 1000, 1000, {}));
  CHECK(owner_status("/srv/x", 0, 1000, {}));
  CHECK(owner_status("/srv/x", 1000, 0, {}));
  CHECK_FALSE(owner_status("/srv/x", 1001, 1000, {}));
  CHECK(owner_status("/srv/x/", 1001, 1000, {"/srv/x"}));
  CHECK(owner_status("/srv/x", 1001, 1000, {"/other", "*"}));
  CHECK(owner_status("/srv/x", 1001, 1000, {"/srv/*"}));
  CHECK_FALSE(owner_status("/srvx/x", 1001, 1000, {"/srv/*", "/srv", ""}));
  const Error error = owner_status("/srv/x", 1001, 1000, {}).error();
  CHECK(error.message.find("belongs to user 1001") != std::string::npos);
  CHECK(error.cure.find("safe.directory /srv/x") != std::string::npos);
}

TEST_CASE("git_push: commits, files and messages are bounded and say so") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.must_start();
  bench.folder.shell(
      "work",
      "for i in $(seq 120); do echo $i > a; git commit -q -a -m \"number $i\"; done; mkdir many; cd many; "
      "seq 3100 | xargs touch; git add .; head -c 70000 /dev/zero | tr '\\0' x > ../text; git commit -q -F ../text");
  bench.source->stop();
  REQUIRE(bench.source->start(bench.host));
  json data;
  std::size_t total = 0;
  do {  // the loop may have come between some of the commits
    data = bench.next_data();
    total += data["commits"].size();
  } while (data["after"] != bench.folder.tip("work"));
  CHECK(total == 100);
  CHECK(data["commits_truncated"] == true);
  CHECK(data["commits"][1]["message"] == "number 120");
  CHECK(data["files"].size() == 3000);
  CHECK(data["files_truncated"] == true);
  CHECK(data["message"].get<std::string>().size() == 64 * 1024);
  CHECK(data["message_truncated"] == true);
  CHECK(data["commits"][0]["message_truncated"] == true);
}

TEST_CASE("git_push: names and messages that are no UTF-8 become text") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.must_start();
  bench.folder.shell("work", "printf 'caf\\351' > m && git -c i18n.commitEncoding=ISO-8859-1 commit -q --allow-empty -F m");
  CHECK(bench.next_data()["message"] == "caf\u00e9");
  // git itself would mend it; others write what they like.
  bench.folder.shell("work",
                     "{ git cat-file commit HEAD | grep -av -e ^encoding -e caf; printf 'bad \\377\\n'; } > m && "
                     "git update-ref refs/heads/main $(git hash-object -t commit -w m)");
  CHECK(bench.next_data()["message"] == "bad \ufffd");
  bench.folder.shell("work", "git branch \"$(printf 'odd-\\377')\"");
  const Event event = bench.next();
  CHECK(event.subject == "refs/heads/odd-\ufffd");
  CHECK(event.data.json()["branch"] == "odd-\ufffd");
  bench.folder.shell("work", "printf x > \"$(printf 'f-\\377')\" && git add . && git commit -q -m odd");
  CHECK(bench.next_data()["files"][0] == "f-\ufffd");
  CHECK(clipped_utf8("a\u00e9", 2) == "a");
  CHECK(clipped_utf8("a\u00e9", 3) == "a\u00e9");
  CHECK(clipped_utf8(std::string(9, '\x80'), 5).size() == 2);
}

TEST_CASE("git_push: a damaged branch is named and holds up no other") {
  Bench bench;
  const auto tip = bench.folder.commit("work", "a", "one");
  bench.folder.git("work", "branch broken");
  bench.must_start();
  std::ofstream(bench.folder / "work/.git/refs/heads/broken") << "";
  bench.until([&] { return !bench.host.degradations.empty(); });
  CHECK(bench.host.degradations.front().message.find("refs/heads/broken") != std::string::npos);
  CHECK(bench.host.offered.empty());  // not taken for a deleted one
  bench.folder.commit("work", "b", "two");
  CHECK(bench.next_data()["branch"] == "main");
  CHECK(bench.host.recoveries == 0);
  std::ofstream(bench.folder / "work/.git/refs/heads/broken") << tip << "\n";
  bench.until([&] { return bench.host.recoveries == 1; });
  CHECK(bench.quiet());
}

TEST_CASE("git_push: a commit that is missing is told as far as it can be") {
  Bench bench;
  bench.folder.commit("work", "a", "one");
  bench.must_start();
  bench.folder.shell("work", "echo 1111111111111111111111111111111111111111 > .git/refs/heads/nothing");
  const json data = bench.next_data();
  CHECK(data["branch"] == "nothing");
  CHECK(data["commits"].empty());
  CHECK(data["incomplete"].get<std::string>().find("1111") != std::string::npos);
}

TEST_CASE("git_push: a shallow clone tells what it has") {
  Bench bench;
  for (const char* text : {"one", "two", "three"}) bench.folder.commit("work", "a", text);
  bench.folder.git(".", "clone -q --depth 1 file://" + (bench.folder / "work").string() + " shallow");
  bench.must_start("shallow");
  bench.folder.commit("shallow", "b", "four");
  bench.folder.commit("shallow", "c", "five");
  bench.until([&] { return !bench.host.taken.empty() && bench.host.taken.back().data.json()["message"] == "five"; });
  for (const Event& event : bench.host.taken) {
    const json data = event.data.json();
    CHECK(data["forced"] == false);
    CHECK_FALSE(data.contains("incomplete"));
    CHECK(data["commits"].size() == data["files"].size());
  }
  bench.host.taken.clear();
  bench.folder.git("shallow", "commit -q --amend -m other");
  CHECK(bench.next_data()["forced"] == true);
}

TEST_CASE("git_push: whatever happens to the branches, the events add up to where they stand") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  Bench bench;
  std::vector<std::string> commits;
  for (int i = 0; i < 6; ++i) commits.push_back(bench.folder.commit("work", "a", std::to_string(i)));
  bench.folder.git("work", "checkout -q --detach");
  bench.must_start();
  std::map<std::string, std::string> told{{"refs/heads/main", commits.back()}};
  const auto apply = [&] {
    for (; !bench.host.taken.empty(); bench.host.taken.pop_front()) {
      const json data = bench.host.taken.front().data.json();
      const std::string ref = data["ref"], before = data["before"], after = data["after"];
      CHECK((told.contains(ref) ? told[ref] : kZeros) == before);
      if (after == kZeros)
        told.erase(ref);
      else
        told[ref] = after;
    }
  };
  for (int step = 0; step < 80; ++step) {
    const std::string name = std::string(below(2) ? "x/" : "y") + std::to_string(below(3)) + (below(3) ? "" : "/z");
    const std::string target = commits[static_cast<std::size_t>(below(6))];
    std::string line;
    switch (below(8)) {
      case 0:
        line = "git branch -q -D " + name;
        break;
      case 1:
        line = "git pack-refs --all";
        break;
      case 2:
        line = "git branch -q -M " + name + " x/moved";
        break;
      default:
        line = "git update-ref refs/heads/" + name + " " + target;
        break;
    }
    bench.folder.shell("work", line + " || true");  // a name may be a folder's, or not there
    if (below(2)) bench.loop.run_once(Duration(std::chrono::milliseconds(below(15))));
  }
  const auto actual = [&] {
    std::map<std::string, std::string> tips;
    std::istringstream lines(bench.folder.git("work", "for-each-ref --format='%(refname) %(objectname)' refs/heads"));
    for (std::string ref, id; lines >> ref >> id;) tips[ref] = id;
    return tips;
  }();
  bench.until([&] {
    apply();
    return told == actual;
  });
  CHECK(bench.host.failures.empty());
}
