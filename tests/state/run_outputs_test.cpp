#include "state/run_outputs.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/state/journal_samples.h"

using namespace hark;
using namespace hark::test;
namespace fs = std::filesystem;

TEST_CASE("run outputs: the folder of a run that is gone goes, every other thing stays") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  IdGenerator ids(1);
  const auto kept = ids.next(kNow), gone = ids.next(kNow), link = ids.next(kNow), file = ids.next(kNow);
  const auto event = stored(*journal, make_event(ids.next(kNow)));
  in_transaction(*journal, [&] { REQUIRE(journal->add_run(make_run(kept, event), this_process()).ok()); });

  const auto runs = folder / "runs";
  for (const auto& name : {kept, gone, std::string("a person's")}) {
    fs::create_directories(runs / name);
    std::ofstream(runs / name / "step.out") << "text";
  }
  fs::create_directories(folder / "elsewhere");
  std::ofstream(folder / "elsewhere/precious") << "text";
  fs::create_directory_symlink(folder / "elsewhere", runs / link);
  std::ofstream(runs / file) << "text";

  const auto removed = remove_stray_outputs(runs, *journal);
  REQUIRE(removed.ok());
  CHECK(*removed == 1);
  CHECK_FALSE(fs::exists(runs / gone));
  CHECK(fs::exists(runs / kept / "step.out"));
  CHECK(fs::exists(runs / "a person's" / "step.out"));
  CHECK(fs::exists(runs / file));
  CHECK(fs::exists(folder / "elsewhere/precious"));
}

TEST_CASE("run outputs: without a folder there is nothing to do") {
  const TemporaryFolder folder;
  auto journal = opened(folder / "journal.db");
  const auto removed = remove_stray_outputs(folder / "runs", *journal);
  REQUIRE(removed.ok());
  CHECK(*removed == 0);
}
