#include "handlers/git_trace.h"

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "core/limits.h"
#include "tests/support/git_folder.h"
#include "tests/support/temporary_folder.h"

using namespace hark;

namespace {

const std::string kNone(40, '0');

}  // namespace

TEST_CASE("git trace: every step of a branch is known, whatever command took it, and what only looks is not") {
  hark::test::GitFolder folder;
  folder.git(".", "init -q -b main work");
  folder.git(".", "init -q --bare bare");
  const auto trace = prepare_git_trace(folder / "runs", "RUN");
  REQUIRE(trace == git_trace_file(folder / "runs", "RUN"));
  CHECK(std::filesystem::status(trace.parent_path()).permissions() == std::filesystem::perms::owner_all);
  CHECK(ref_moves(trace).empty());
  const auto traced = [&](const std::string& line) {
    std::filesystem::remove(trace);
    folder.shell("work", "export GIT_TRACE_REFS='" + trace.string() + "'; " + line);
    return ref_moves(trace);
  };
  const auto first = traced("echo x > a; git add a; git commit -qm one");
  REQUIRE(first.size() == 1);
  CHECK(first[0].ref == "refs/heads/main");
  CHECK(first[0].before == kNone);
  const auto one = first[0].after;
  CHECK(one.size() == 40);

  const auto second = traced("git commit -q --allow-empty -m 'a -> b (F=0x8'");
  REQUIRE(second.size() == 1);
  CHECK(second[0].before == one);
  const auto two = second[0].after;
  CHECK(traced("git status; git log --oneline").empty());
  CHECK(traced("git branch feature/x HEAD~1") == std::vector<RefMove>{{"refs/heads/feature/x", kNone, one}});
  CHECK(traced("git push -q ../bare main") == std::vector<RefMove>{{"refs/heads/main", kNone, two}});
  CHECK(traced("git reset -q --hard HEAD~1") == std::vector<RefMove>{{"refs/heads/main", two, one}});
  CHECK(traced("git update-ref refs/heads/main " + two) == std::vector<RefMove>{{"refs/heads/main", "", two}});
  CHECK(traced("git tag v1") == std::vector<RefMove>{{"refs/tags/v1", kNone, two}});
  CHECK(traced("git branch -q -D feature/x").empty());  // a deletion is none of its transactions
}

TEST_CASE("git trace: what is no trace tells nothing, of a long one the end is read") {
  const hark::test::TemporaryFolder folder;
  const auto file = folder / "trace";
  const std::string step = "04:10:59.518867 refs/debug.c:71         1: refs/heads/main aa -> bb (F=0xc, T=0x0) \"commit: y\"\n";
  std::ofstream(file) << "\xff\n -> \n04:10:59.5 refs/debug.c:71 0: HEAD aa -> bb (F=0xc\n04:1 other.c:1 0: refs/heads/x a -> b (F=0xc\n" << step << step.substr(0, 60);
  CHECK(ref_moves(file) == std::vector<RefMove>{{"refs/heads/main", "aa", "bb"}});
  std::ofstream(file) << step << std::string(limits::kGitTrace, ' ') << "\n" << step;
  CHECK(ref_moves(file).size() == 1);
  CHECK(ref_moves(folder / "none").empty());
}
