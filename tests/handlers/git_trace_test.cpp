#include "handlers/git_trace.h"

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "core/limits.h"
#include "tests/support/git_folder.h"
#include "tests/support/temporary_folder.h"

using namespace hark;
using namespace std::chrono_literals;

TEST_CASE("git trace: what can move a branch is known with its times, what only looks is not") {
  hark::test::GitFolder folder;
  folder.git(".", "init -q -b main work");
  folder.git(".", "init -q --bare bare");
  const auto trace = prepare_git_trace(folder / "runs", "RUN");
  REQUIRE(trace == git_trace_file(folder / "runs", "RUN"));
  CHECK(std::filesystem::status(trace.parent_path()).permissions() == std::filesystem::perms::owner_all);
  CHECK(branch_moves(trace).empty());
  const auto traced = [&](const std::string& line) {
    folder.shell("work", "export GIT_TRACE2_EVENT='" + trace.string() + "'; " + line);
    return branch_moves(trace);
  };
  const auto before = std::chrono::system_clock::now();
  const auto moves = traced("echo x > a; git add a; git commit -qm one");
  const auto after = std::chrono::system_clock::now();
  const auto looked = traced("git status; git log");
  const auto pushed = traced("git push -q ../bare main");
  REQUIRE(moves.size() == 1);
  CHECK(moves[0].first >= before - 1ms);
  CHECK(moves[0].first < moves[0].second);
  CHECK(moves[0].second <= after);
  CHECK(looked.size() == 1);
  CHECK(pushed.size() == 3);  // push, and receive-pack at the other side
}

TEST_CASE("git trace: a command that has not ended lasts, and what is no trace tells nothing") {
  const hark::test::TemporaryFolder folder;
  const auto file = folder / "trace";
  const std::string started =
      R"({"event":"start","sid":"a","time":"2026-11-22T00:00:01.000000Z"})"
      "\n"
      R"({"event":"cmd_name","sid":"a","name":"commit"})"
      "\n";
  std::ofstream(file) << "\xff\n[]\n{\"event\":1}\n" << started << "{\"event\":\"exit\",\"sid\":\"a\",\"ti";
  auto moves = branch_moves(file);
  REQUIRE(moves.size() == 1);
  CHECK(moves[0] == std::pair(*from_rfc3339("2026-11-22T00:00:01Z"), WallTime::max()));
  // Of a long one the end is read: of a command whose beginning is not seen, as much as is.
  std::ofstream(file) << started << std::string(limits::kGitTrace, ' ') << "\n" << R"({"event":"cmd_name","sid":"b","name":"push"})" << "\n";
  moves = branch_moves(file);
  REQUIRE(moves.size() == 1);
  CHECK(moves[0] == std::pair(WallTime::min(), WallTime::max()));
  CHECK(branch_moves(folder / "none").empty());
}
