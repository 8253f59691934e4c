#include <algorithm>
#include <memory>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/event_list.h"
#include "cli/exit_codes.h"
#include "cli/follow_runs.h"
#include "cli/journal_access.h"
#include "cli/output.h"
#include "cli/run_filter.h"
#include "cli/run_source.h"
#include "cli/run_table.h"
#include "core/filter.h"
#include "core/nearest.h"
#include "platform/clock.h"

namespace hark {

using nlohmann::json;

namespace {

void print_list(RunSource& source, const json& runs, bool as_json) {
  if (as_json) return output::print_json({{"runs", runs}});
  print_runs(runs, SystemClock().now().wall, source.shown_ids());
}

// The names of those asked for that no run has: a misspelt one is worth a word.
std::string unknown_handlers(RunSource& source, const HistoryCommand& command, const Filter& filter) {
  auto wanted = filter.values("handler");
  if (!command.handler.empty()) wanted.push_back(command.handler);
  std::string unknown;
  if (!wanted.empty()) {
    const auto known = source.handlers();
    for (const auto& name : wanted) {
      if (std::find(known.begin(), known.end(), name) == known.end()) unknown += ": no run is of a handler named '" + name + "'" + did_you_mean(name, known);
    }
  }
  return unknown;
}

// Nothing to show is no failure.
void say_that_none_matches(RunSource& source, const HistoryCommand& command, const Filter& filter) {
  if (command.handler.empty() && filter.empty()) return output::complain("no runs yet");
  output::complain("no run matches" + unknown_handlers(source, command, filter));
}

int show_one(RunSource& source, const HistoryCommand& command) {
  json run, event;
  if (const auto ended = source.run(command.id, run)) return *ended;
  if (!run.is_null()) {
    command.common.json ? output::print_json(run) : print_run(run);
    return exit_code::kOk;
  }
  if (const auto ended = source.event(command.id, event)) return *ended;
  if (event.is_null()) {
    output::complain(Error{"no run and no event is '" + command.id + "'", "`hark history` lists runs, `hark history --events` events"});
    return exit_code::kFailed;
  }
  if (event["runs"].empty()) {
    output::complain(Error{"'" + command.id + "' is an event, and no run came of it", "`hark explain " + command.id + "` says why"});
  } else {
    output::complain("'" + command.id + "' is an event; its runs:");
  }
  print_list(source, event["runs"], command.common.json);
  return exit_code::kOk;
}

}  // namespace

int history_command(const HistoryCommand& command) {
  const auto filter = Filter::parse(command.filter);
  const auto checked = !filter ? Status(filter.error()) : command.events ? check_event_fields(*filter) : check_run_filter(*filter);
  if (!checked) {
    output::complain(Error{"--filter: " + checked.error().message, checked.error().cure});
    return exit_code::kUsage;
  }
  if (command.events) return list_events(command, *filter);
  std::unique_ptr<RunSource> source;
  if (const auto ended = open_run_source(command.common, command.from_daemon, source)) return *ended;
  if (!command.id.empty()) return show_one(*source, command);
  if (command.follow) {
    if (const auto unknown = unknown_handlers(*source, command, *filter); !unknown.empty()) output::complain("nothing to show yet" + unknown);
    return follow_runs(command, *filter);
  }
  json runs;
  RunQuery query;
  query.handler = command.handler;
  query.filter = *filter;
  query.limit = command.limit;
  if (const auto ended = source->runs(query, runs)) return *ended;
  if (runs.empty()) say_that_none_matches(*source, command, *filter);
  print_list(*source, runs, command.common.json);
  return exit_code::kOk;
}

}  // namespace hark
