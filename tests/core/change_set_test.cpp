#include "core/change_set.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

using hark::Change;
using hark::ChangeSet;
using Kind = Change::Kind;

namespace {

std::vector<Change> take_all(ChangeSet& set) { return set.take(1'000'000, 1'000'000'000); }

std::vector<std::string> told(ChangeSet& set) {
  std::vector<std::string> lines;
  for (const auto& change : take_all(set)) {
    lines.push_back(std::string(to_string(change.kind)) + " " + (change.from.empty() ? "" : change.from + " > ") + change.path +
                    (change.modified ? " modified" : ""));
  }
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("changes: what happens to one file is merged to what its reader has to know") {
  ChangeSet set;
  SUBCASE("create and modify is a create") {
    set.created("a");
    set.modified("a");
    CHECK(told(set) == Lines{"create a"});
  }
  SUBCASE("create and delete is nothing") {
    set.created("a");
    set.modified("a");
    set.removed("a");
    CHECK(set.empty());
  }
  SUBCASE("modify and delete is a delete") {
    set.modified("a");
    set.removed("a");
    CHECK(told(set) == Lines{"delete a"});
  }
  SUBCASE("delete and create is a modify") {
    set.removed("a");
    set.created("a");
    CHECK(told(set) == Lines{"modify a"});
  }
  SUBCASE("a chain of renames is one") {
    set.renamed("a", "b", false);
    set.renamed("b", "c", false);
    CHECK(told(set) == Lines{"rename a > c"});
  }
  SUBCASE("there and back is nothing") {
    set.renamed("a", "b", false);
    set.renamed("b", "a", false);
    CHECK(set.empty());
  }
  SUBCASE("a new file that is renamed is new under its last name") {
    set.created("a.tmp");
    set.renamed("a.tmp", "a", false);
    CHECK(told(set) == Lines{"create a"});
  }
  SUBCASE("written aside and renamed over the old one is a modify: how editors save") {
    set.created("a.tmp");
    set.renamed("a.tmp", "a", true);
    CHECK(told(set) == Lines{"modify a"});
  }
  SUBCASE("moved aside, written anew, the old one deleted is a modify, too") {
    set.renamed("a", "a~", false);
    set.created("a");
    set.removed("a~");
    CHECK(told(set) == Lines{"modify a"});
  }
  SUBCASE("renamed over another file") {
    set.renamed("a", "b", true);
    CHECK(told(set) == Lines{"delete a", "modify b"});
  }
  SUBCASE("renamed and written to") {
    set.modified("a");
    set.renamed("a", "b", false);
    CHECK(told(set) == Lines{"rename a > b modified"});
  }
  SUBCASE("renamed and deleted is a delete of the old name") {
    set.renamed("a", "b", false);
    set.removed("b");
    CHECK(told(set) == Lines{"delete a"});
  }
  SUBCASE("two files that change places are both modified") {
    set.renamed("a", "t", false);
    set.renamed("b", "a", false);
    set.renamed("t", "b", false);
    CHECK(told(set) == Lines{"modify a", "modify b"});
  }
}

TEST_CASE("changes: a kind that was not asked for is left out, and a rename falls into its parts") {
  const std::vector<Change> changes = {{"a", Kind::create, {}, false},
                                       {"b", Kind::rename, "c", false},
                                       {"d", Kind::rename, "e", true},
                                       {"f", Kind::remove, {}, false}};
  CHECK(only_kinds(changes, {"create", "modify", "delete", "rename"}) == changes);
  CHECK(only_kinds(changes, {"create"}) ==
        std::vector<Change>{{"a", Kind::create, {}, false}, {"b", Kind::create, {}, false}, {"d", Kind::create, {}, false}});
  CHECK(only_kinds(changes, {"modify"}) == std::vector<Change>{{"d", Kind::modify, {}, false}});
  CHECK(only_kinds(changes, {"delete"}) ==
        std::vector<Change>{{"c", Kind::remove, {}, false}, {"e", Kind::remove, {}, false}, {"f", Kind::remove, {}, false}});
  CHECK(only_kinds(changes, {}).empty());
}

TEST_CASE("changes: what is taken out is bounded in number and in bytes, and nothing is left behind for ever") {
  ChangeSet set;
  for (int i = 0; i < 25; ++i) set.created("file" + std::to_string(100 + i));
  set.renamed("old", "zzz", false);
  CHECK(set.take(10, 1000).size() == 10);
  CHECK(set.take(10, 20).size() == 2);
  CHECK(set.take(1, 0).size() == 1);
  CHECK(take_all(set).size() == 13);
  CHECK(set.empty());
}

TEST_CASE("changes: what is put back is older than what came since") {
  ChangeSet set;
  set.created("a");
  set.modified("b");
  set.renamed("c", "d", false);
  const auto refused = take_all(set);
  set.removed("a");
  set.removed("b");
  set.renamed("d", "e", false);
  set.put_back(refused);
  CHECK(told(set) == Lines{"delete b", "rename c > e"});
}

// Random work on a small tree, cut into windows at random. What is told, window by window, must turn the tree of the window's
// start into that of its end, with no file too many and none too few.
TEST_CASE("changes: random work, told in random windows, is neither more nor less than what happened") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::map<std::string, int> disk = {{"a", 1}, {"b", 2}, {"c", 3}};  // name -> content
  auto reader = disk;                                                // what somebody believes who only reads the changes
  int content = 10;
  ChangeSet set;
  for (int step = 0; step < 20'000; ++step) {
    const std::string name(1, static_cast<char>('a' + below(6)));
    const std::string other(1, static_cast<char>('a' + below(6)));
    const bool there = disk.count(name) > 0;
    switch (below(5)) {
      case 0:
        there ? set.modified(name) : set.created(name);
        disk[name] = ++content;
        break;
      case 1:
        if (there) set.removed(name);
        disk.erase(name);
        break;
      case 2:
      case 3:
        if (!there || name == other) break;
        set.renamed(name, other, disk.count(other) > 0);
        disk[other] = disk[name];
        disk.erase(name);
        break;
      default:
        if (below(3) > 0) break;
        const bool whole = below(4) > 0;
        auto changes = set.take(whole ? 1000 : 1 + static_cast<std::size_t>(below(2)), 1000);
        if (below(4) == 0) {
          set.put_back(changes);
          break;
        }
        for (const auto& change : changes) {
          const bool believed = reader.count(change.path) > 0;
          if (whole) CHECK(believed == (change.kind == Kind::modify || change.kind == Kind::remove));
          if (change.kind == Kind::remove) {
            CHECK(reader.erase(change.path) == 1);
          } else if (change.kind == Kind::rename && !change.modified) {
            REQUIRE(reader.count(change.from) == 1);
            reader[change.path] = reader[change.from];
            reader.erase(change.from);
          } else {
            reader.erase(change.from);
            reader[change.path] = disk.count(change.path) > 0 ? disk[change.path] : -1;
          }
        }
        if (whole) {
          CHECK(set.empty());
          REQUIRE(reader == disk);
        }
    }
  }
}
