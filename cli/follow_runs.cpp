#include "cli/follow_runs.h"

#include <chrono>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/journal_access.h"
#include "cli/run_filter.h"

namespace hark {

using nlohmann::json;

namespace {

// A reader has no way to be woken by the journal. A person sees what is a quarter of a second old as live.
constexpr auto kLook = std::chrono::milliseconds(250);
// Runs under way that are looked at each time: more than any daemon has slots for.
constexpr std::size_t kUnderWay = 10'000;

bool has_ended(const json& run) { return run["state"] != "queued" && run["state"] != "running"; }

void print(const json& run, bool as_json) {
  if (as_json) return output::print_line(run.dump(-1, ' ', false, json::error_handler_t::replace));
  const auto state = run["state"].get<std::string>();
  auto line = run.value("finished", std::string("-")) + "  " + run["id"].get<std::string>() + "  " + run["handler"].get<std::string>() + "  " +
              output::painted(state, output::colour_of_state(state));
  if (run.value("attempt", 1) > 1) line += "  attempt " + std::to_string(run["attempt"].get<int>());
  if (run.contains("error")) line += "  " + output::printable(run["error"].get<std::string>());
  output::print_line(line);
}

}  // namespace

int follow_runs(RunSource& source, const HistoryCommand& command, const Filter& filter) {
  RunQuery query;
  query.handler = command.handler;
  query.limit = 1;
  json newest;
  if (const auto ended = source.runs(query, newest)) return *ended;
  query.after = newest.empty() ? 0 : newest[0]["sequence"].get<std::uint64_t>();
  query.limit = kJournalPage;
  output::complain("runs are shown as they end; Ctrl-C stops it");
  std::set<std::string> under_way;
  if (!newest.empty() && !has_ended(newest[0])) under_way.insert(newest[0]["id"].get<std::string>());
  const auto take = [&](const json& run) {
    if (!has_ended(run)) {
      if (under_way.size() < kUnderWay) under_way.insert(run["id"].get<std::string>());
      return false;
    }
    if (matches(filter, run)) print(run, command.common.json);
    return true;
  };
  while (true) {
    for (auto id = under_way.begin(); id != under_way.end();) {
      json run;
      if (const auto ended = source.run(*id, run)) return *ended;
      id = run.is_null() || take(run) ? under_way.erase(id) : std::next(id);
    }
    json fresh;
    if (const auto ended = source.runs(query, fresh)) return *ended;
    for (const auto& run : fresh) {
      query.after = run["sequence"].get<std::uint64_t>();
      take(run);
    }
    if (!output::finish()) return exit_code::kFailed;  // nobody reads any more
    if (fresh.size() < query.limit) std::this_thread::sleep_for(kLook);
  }
}

}  // namespace hark
