#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "router/own_changes.h"

using namespace hark;
using namespace std::chrono_literals;

namespace {

const WallTime kStart{1'790'000'000s};

Event change(WallTime when, std::initializer_list<std::pair<const char*, const char*>> files) {
  Event event;
  event.type = "file_change";
  event.time = when;
  nlohmann::json data = {{"root", "/tree"}, {"changes", nlohmann::json::array()}};
  for (const auto& [kind, path] : files) data["changes"].push_back({{"kind", kind}, {"path", path}});
  event.data = Payload(data);
  return event;
}

Event push(WallTime when, const std::string& before, const std::string& after, const std::string& ref = "refs/heads/main") {
  Event event;
  event.type = "git_push";
  event.time = when;
  event.data = Payload(nlohmann::json{{"ref", ref}, {"before", before}, {"after", after}, {"commits", nlohmann::json::array()}});
  return event;
}

using Moves = std::vector<RefMove>;
Moves nothing(const std::string&) { return {}; }
const OwnChanges::Evidence busy{[](WallTime) { return true; }, nothing};
const OwnChanges::Evidence idle{[](WallTime) { return false; }, nothing};

// Its git commands told of these.
OwnChanges::Evidence moving(Moves moves) {
  return {[](WallTime) { return true; }, [moves = std::move(moves)](const std::string&) { return moves; }};
}

}  // namespace

TEST_CASE("own changes: what is changed while no run is under way is somebody's, and stays so") {
  OwnChanges changes;
  CHECK_FALSE(changes.judge("h", change(kStart, {{"modify", "a"}}), busy).own);
  changes.begin("h", "r1", kStart + 1s);
  const auto during = changes.judge("h", change(kStart + 2s, {{"modify", "a"}}), busy);
  CHECK_FALSE(during.own);
  CHECK(during.run_id == "r1");
  changes.end("h", "r1", kStart + 3s);
  CHECK_FALSE(changes.judge("h", change(kStart + 3s + limits::kOwnChangeGrace + 1ms, {{"create", "b"}}), busy).own);
}

TEST_CASE("own changes: a file is the runs' from the second one on that changes it") {
  for (const char* first : {"create", "modify"}) {
    OwnChanges changes;
    changes.begin("h", "r1", kStart);
    CHECK_FALSE(changes.judge("h", change(kStart + 1s, {{first, "out"}}), busy).own);
    CHECK_FALSE(changes.judge("h", change(kStart + 1s, {{"modify", "out"}}), busy).own);
    changes.end("h", "r1", kStart + 2s);
    changes.begin("h", "r2", kStart + 3s);
    CHECK(changes.judge("h", change(kStart + 4s, {{"modify", "out"}}), busy).own);
    changes.end("h", "r2", kStart + 5s);
    const auto late = changes.judge("h", change(kStart + 5s + 100ms, {{"modify", "out"}}), busy);
    CHECK(late.own);  // told a moment after its end
    CHECK(late.run_id == "r2");
  }
}

TEST_CASE("own changes: while the processes of the run do nothing, a change is somebody else's") {
  OwnChanges changes;
  changes.begin("h", "r1", kStart);
  CHECK_FALSE(changes.judge("h", change(kStart + 1s, {{"create", "a"}}), idle).own);
  CHECK_FALSE(changes.judge("h", change(kStart + 2s, {{"modify", "a"}}), busy).own);
}

TEST_CASE("own changes: of a run that has just ended no process is left to tell, and the last one is meant") {
  OwnChanges changes;
  for (const int run : {1, 2}) {
    const auto begin = kStart + run * 100ms;
    changes.begin("h", "r" + std::to_string(run), begin);
    changes.end("h", "r" + std::to_string(run), begin + 10ms);
    const auto told = changes.judge("h", change(begin + 20ms, {{"modify", "out"}}), idle);
    CHECK(told.run_id == "r" + std::to_string(run));
    CHECK(told.own == (run == 2));
  }
  changes.begin("h", "later", kStart + 10s);
  CHECK(changes.judge("h", change(kStart + 9s, {{"modify", "a"}}), busy).run_id.empty());
}

TEST_CASE("own changes: one file of somebody else's makes the whole event count") {
  OwnChanges changes;
  changes.judge("h", change(kStart, {{"modify", "a"}}), busy);
  changes.begin("h", "r1", kStart + 1s);
  changes.judge("h", change(kStart + 1s, {{"create", "out"}}), busy);
  changes.begin("h", "r2", kStart + 2s);
  changes.end("h", "r1", kStart + 2s - limits::kOwnChangeGrace);
  CHECK_FALSE(changes.judge("h", change(kStart + 3s, {{"modify", "out"}, {"modify", "a"}}), busy).own);
  CHECK(changes.judge("h", change(kStart + 3s, {{"modify", "out"}}), busy).own);
}

TEST_CASE("own changes: another handler's runs are somebody else") {
  OwnChanges changes;
  changes.begin("other", "r1", kStart);
  CHECK_FALSE(changes.judge("h", change(kStart + 1s, {{"create", "out"}}), busy).own);
}

TEST_CASE("own changes: a branch is the run's when its git tells of every step") {
  OwnChanges changes;
  changes.begin("h", "r1", kStart);
  const auto at = kStart + 1s;
  const auto own = moving({{"refs/heads/other", "a", "b"}, {"refs/heads/main", "a", "b"}, {"refs/heads/main", "b", "c"}});
  CHECK(changes.judge("h", push(at, "a", "c"), own).own);
  CHECK(changes.judge("h", push(at, "a", "b"), own).own);  // seen before the second step
  CHECK(changes.judge("h", push(at, "b", "c"), own).own);
  CHECK_FALSE(changes.judge("h", push(at, "a", "d"), own).own);
  CHECK_FALSE(changes.judge("h", push(at, "x", "c"), own).own);
  CHECK_FALSE(changes.judge("h", push(at, "a", "c", "refs/heads/other"), own).own);
  CHECK_FALSE(changes.judge("other", push(at, "a", "c"), own).own);
  CHECK(changes.judge("h", push(at, "x", "c"), moving({{"refs/heads/main", "", "c"}})).own);  // it moved it whatever stood there
  // Somebody's step between two of its own is in what was seen.
  CHECK_FALSE(changes.judge("h", push(at, "a", "d"), moving({{"refs/heads/main", "a", "b"}, {"refs/heads/main", "c", "d"}})).own);
  const auto theirs = changes.judge("h", push(at, "a", "b"), busy);
  CHECK_FALSE(theirs.own);
  CHECK(theirs.run_id == "r1");
}

TEST_CASE("own changes: what a run that has ended told of its git is known a while longer") {
  OwnChanges changes;
  changes.begin("h", "r1", kStart);
  changes.end("h", "r1", kStart + 1s, {{"refs/heads/main", "a", "b"}});
  CHECK(changes.judge("h", push(kStart + 3s, "a", "b"), idle).own);
  const auto later = changes.judge("h", push(kStart + 3s, "b", "c"), idle);
  CHECK_FALSE(later.own);
  CHECK(later.run_id.empty());
}

TEST_CASE("own changes: beyond the files it remembers nothing is taken for a run's") {
  OwnChanges changes;
  changes.begin("h", "r1", kStart);
  auto many = change(kStart + 1s, {});
  auto data = many.data.json();
  for (std::size_t i = 0; i < limits::kOwnChangeFiles; ++i) data["changes"].push_back({{"kind", "create"}, {"path", std::to_string(i)}});
  many.data = Payload(data);
  changes.judge("h", many, busy);
  changes.judge("h", change(kStart + 1s, {{"create", "one more"}}), busy);
  changes.end("h", "r1", kStart + 2s);
  changes.begin("h", "r2", kStart + 3s);
  CHECK_FALSE(changes.judge("h", change(kStart + 4s, {{"modify", "one more"}}), busy).own);
  CHECK(changes.judge("h", change(kStart + 4s, {{"modify", "7"}}), busy).own);
}

TEST_CASE("own changes: a file that tells when it was changed is somebody's when no run was under way then") {
  const auto at = [](WallTime when) {
    OwnChanges::Evidence evidence = busy;
    evidence.changed = [when](const std::string&, const std::string&) { return std::optional(when); };
    return evidence;
  };
  OwnChanges changes;
  changes.begin("h", "r1", kStart);
  CHECK(changes.judge("h", change(kStart + 1s, {{"modify", "during"}}), at(kStart + 1s)).run_id == "r1");
  CHECK(changes.judge("h", change(kStart + 1s, {{"modify", "before"}}), at(kStart - limits::kFileTimeGrain - 1ms)).run_id.empty());
  CHECK(changes.judge("h", change(kStart + 1s, {{"modify", "at once"}}), at(kStart - limits::kFileTimeGrain)).run_id == "r1");
  changes.end("h", "r1", kStart + 2s);
  const auto soon = kStart + 2s + 1ms;
  CHECK(changes.judge("h", change(soon, {{"modify", "after"}}), at(soon)).run_id.empty());
  CHECK(changes.judge("h", change(soon, {{"modify", "noticed late"}}), at(kStart + 2s)).run_id == "r1");
  CHECK(changes.judge("h", change(soon + 5s, {{"modify", "noticed by a busy machine"}}), at(kStart + 2s)).run_id == "r1");
  CHECK(changes.judge("h", change(soon, {{"delete", "gone"}}), busy).run_id == "r1");
  // One of them is enough for a run to have had its hand in it, and all of them to make it its own.
  changes.begin("h", "r2", kStart + 10s);
  const auto verdict = changes.judge("h", change(kStart + 11s, {{"modify", "during"}, {"modify", "before"}}), at(kStart + 11s));
  CHECK(verdict.run_id == "r2");
  CHECK_FALSE(verdict.own);
  CHECK(changes.judge("h", change(kStart + 11s, {{"modify", "during"}}), at(kStart + 11s)).own);
}

TEST_CASE("own changes: somebody's file in whose place a run puts one that holds the same is nothing new") {
  OwnChanges::Content holds{"A", 1};
  OwnChanges::Evidence evidence = busy;
  evidence.content = [&](const std::string&, const std::string&) { return holds.digest.empty() ? std::nullopt : std::optional(holds); };
  OwnChanges changes;
  auto now = kStart;
  const auto changed = [&] { return changes.judge("h", change(now += 1ms, {{"modify", "a"}}), evidence); };
  const auto replaced = [&](const char* content) {
    holds = {content, holds.inode + 1};
    return changed();
  };
  const auto rewritten = [&](const char* content) {
    holds.digest = content;
    return changed();
  };
  int runs = 0;
  const auto run = [&] {
    if (runs > 0) changes.end("h", "r" + std::to_string(runs), now);
    changes.begin("h", "r" + std::to_string(++runs), now);
  };
  CHECK_FALSE(replaced("A").own);  // a person
  run();
  const auto first = replaced("B");
  CHECK_FALSE(first.own);
  CHECK(first.run_id == "r1");
  run();
  CHECK(replaced("B").own);
  CHECK(replaced("B").own);
  CHECK_FALSE(changed().own);         // a person touches it
  CHECK_FALSE(rewritten("B").own);    // or says the same again
  CHECK_FALSE(replaced("C").own);     // or something else
  run();
  CHECK_FALSE(replaced("B").own);  // back to what was before: the last start was for C
  CHECK(replaced("B").own);
  CHECK_FALSE(rewritten("").own);  // it is gone, or cannot be read
  CHECK_FALSE(changed().own);
  CHECK_FALSE(replaced("B").own);

  changes.end("h", "r3", now);
  now += limits::kOwnChangeGrace + 1ms;
  CHECK_FALSE(replaced("C").own);  // a person, between runs: what the last start was for is another thing now
  run();
  CHECK_FALSE(replaced("B").own);
}

TEST_CASE("own changes: a file that is told of late was written when it says so") {
  OwnChanges changes;
  const WallTime last_active = kStart + 1s;
  const OwnChanges::Evidence asleep{[&](WallTime then) { return then <= last_active; }, nothing,
                                    [&](const std::string&, const std::string& path) { return std::optional(path == "log" ? kStart + 1s : kStart + 2s); }};
  changes.begin("h", "r1", kStart);
  CHECK_FALSE(changes.judge("h", change(kStart + 2s, {{"modify", "log"}}), asleep).own);  // the first run that writes it
  changes.end("h", "r1", kStart + 3s);
  changes.begin("h", "r2", kStart);
  CHECK(changes.judge("h", change(kStart + 2s, {{"modify", "log"}}), asleep).own);
  CHECK_FALSE(changes.judge("h", change(kStart + 2s, {{"modify", "edit"}}), asleep).own);  // while it slept
  CHECK_FALSE(changes.judge("h", change(kStart + 2s, {{"modify", "edit"}}), busy).own);
}
