#include "daemon/ended_runs.h"

#include <doctest/doctest.h>

#include "core/limits.h"

using namespace hark;

namespace {

void end(EndedRuns& runs, const std::string& id, bool good = true) {
  Run run;
  run.id = id;
  const auto ended = std::make_shared<const Run>(run);
  runs.note(good ? lifecycle::Any(lifecycle::RunComplete{ended}) : lifecycle::Any(lifecycle::RunFailed{ended}));
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("ended runs: those after a cursor, in the order of their ends, in pages") {
  EndedRuns runs("1");
  end(runs, "before");
  auto page = runs.after(std::nullopt, 2);
  CHECK(page.ids.empty());
  for (const char* id : {"c", "a", "b"}) end(runs, id, *id == 'c');
  runs.note(lifecycle::Note{"info", "something else"});
  page = runs.after(page.cursor, 2);
  CHECK(page.ids == Ids{"c", "a"});
  page = runs.after(page.cursor, 2);
  CHECK(page.ids == Ids{"b"});
  CHECK(page.missed == 0);
  CHECK(runs.after(page.cursor, 2).ids.empty());
  CHECK(runs.after("7-3", 9).ids == Ids{"before", "c", "a", "b"});  // another life's
  CHECK(runs.after("1-99", 9).ids.empty());
  CHECK(runs.after("1-x", 9).ids.size() == 4);
}

TEST_CASE("ended runs: who does not keep up is told how many are missing") {
  EndedRuns runs("1");
  const auto start = runs.after(std::nullopt, 1).cursor;
  for (std::size_t i = 0; i < limits::kEndedRuns + 5; ++i) end(runs, std::to_string(i));
  const auto page = runs.after(start, 1);
  CHECK(page.missed == 5);
  CHECK(page.ids == Ids{"5"});
  CHECK(runs.after(page.cursor, 1).ids == Ids{"6"});
}
