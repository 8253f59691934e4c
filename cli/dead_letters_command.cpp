// `hark dead-letters`: the runs that failed for good, until somebody decides what becomes of each. Looking needs no daemon.
#include <algorithm>
#include <limits>
#include <memory>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/run_filter.h"
#include "cli/run_source.h"
#include "cli/run_table.h"
#include "core/filter.h"
#include "core/nearest.h"
#include "core/printable.h"
#include "platform/clock.h"

namespace hark {

using nlohmann::json;

namespace {

void print_letters(const json& runs, const ShownId& shown_id) {
  if (runs.empty()) return;
  const auto now = SystemClock().now().wall;
  std::vector<std::vector<output::Cell>> rows;
  for (const auto& run : runs) {
    const auto id = run["id"].get<std::string>();
    const auto died = from_rfc3339(run["dead_since"].get<std::string>());
    rows.push_back({{shown_id ? shown_id(id) : id},
                    {died ? output::ago(*died, now) : "-"},
                    {run["handler"].get<std::string>()},
                    {run["event"]["type"].get<std::string>()},
                    {run["event"]["source"].get<std::string>()},
                    {std::to_string(run["attempt"].get<int>())},
                    {run.value("error", std::string{}), output::Colour::red}});
  }
  output::print_table({{"RUN", true}, {"DIED", true}, {"HANDLER"}, {"EVENT", false, 3}, {"SOURCE", false, 2}, {"ATTEMPTS", true, 1}, {"ERROR", false, 0, output::Overflow::middle}}, rows);
}

std::optional<Filter> read_filter(const std::string& text) {
  auto filter = Filter::parse(text);
  const auto checked = filter ? check_run_filter(*filter) : Status(filter.error());
  if (checked) return std::move(*filter);
  output::complain(Error{"--filter: " + checked.error().message, checked.error().cure});
  return std::nullopt;
}

// Every one that matches, the oldest first: what failed first is tried again first.
std::optional<int> find_all(RunSource& source, const Filter& filter, json& runs) {
  RunQuery query;
  query.dead = true;
  query.after = 0;
  query.filter = filter;
  query.limit = std::numeric_limits<std::size_t>::max();
  return source.runs(query, runs);
}

// Asks for each in turn; what could not be done does not hold up the others.
int settle(const CommonOptions& common, const std::vector<std::string>& ids, bool retry) {
  const char* done = retry ? "retried" : "discarded";
  json told = {{done, json::array()}, {"failed", json::array()}};
  std::optional<int> ended;
  for (const auto& id : ids) {
    Answer answer;
    if ((ended = ask_daemon(common, "POST", "/api/dead-letters/" + id + (retry ? "/retry" : "/discard"), {}, kPatience, answer))) break;
    if (answer.status < 300) {
      told[done].push_back(id);
      if (!common.json) output::print_line(std::string(done) + " " + id);
    } else {
      const auto why = problem_text(answer);
      told["failed"].push_back({{"id", id}, {"error", why}});
      output::complain(id + ": " + why);
    }
  }
  const auto left = ids.size() - told[done].size();
  if (common.json) output::print_json(told);
  if (ids.size() > 1 && left > 0) output::complain(std::string(done) + " " + std::to_string(told[done].size()) + ", " + std::to_string(left) + " not");
  return ended ? *ended : left > 0 ? exit_code::kFailed : exit_code::kOk;
}

}  // namespace

int list_dead_letters_command(const DeadLettersCommand& command) {
  const auto filter = read_filter(command.filter);
  if (!filter) return exit_code::kUsage;
  std::unique_ptr<RunSource> source;
  if (const auto ended = open_run_source(command.common, false, source)) return *ended;
  RunQuery query;
  query.dead = true;
  query.handler = command.handler;
  query.filter = *filter;
  query.limit = command.limit;
  json runs;
  if (const auto ended = source->runs(query, runs)) return *ended;
  if (runs.empty()) {
    const auto known = command.handler.empty() ? std::vector<std::string>{} : source->handlers();
    const bool unknown = !command.handler.empty() && std::find(known.begin(), known.end(), command.handler) == known.end();
    const bool any = command.handler.empty() && filter->empty();
    output::complain((any ? "no dead letters" : "no dead letter matches") + (unknown ? ": no handler is named '" + command.handler + "'" + did_you_mean(command.handler, known) : ""));
  }
  if (command.common.json) {
    output::print_json({{"dead_letters", runs}});
  } else {
    print_letters(runs, source->shown_ids());
  }
  return exit_code::kOk;
}

int show_dead_letter_command(const CommonOptions& common, const std::string& id) {
  std::unique_ptr<RunSource> source;
  if (const auto ended = open_run_source(common, false, source)) return *ended;
  json run, story;
  if (const auto ended = source->run(id, run)) return *ended;
  if (run.is_null() || !run.contains("dead_since")) {
    output::complain(Error{run.is_null() ? "no run is '" + id + "'" : "run " + run["id"].get<std::string>() + " does not stand in the dead letters: it is " + run["state"].get<std::string>(),
                           "`hark dead-letters list` has the runs that stand in them"});
    return exit_code::kFailed;
  }
  if (const auto ended = source->event(run["event"]["id"].get<std::string>(), story)) return *ended;
  const auto event = story.is_null() ? json() : std::move(story["event"]);
  if (common.json) {
    output::print_json({{"run", run}, {"event", event}});
    return exit_code::kOk;
  }
  print_run(run);
  if (event.is_null()) return exit_code::kOk;
  output::print_line("");
  output::print_line(output::printable(event.dump(2, ' ', false, json::error_handler_t::replace)));
  return exit_code::kOk;
}

int settle_dead_letters_command(const DeadLettersCommand& command, bool retry) {
  if (!command.ids.empty()) {
    for (const auto& id : command.ids) {
      if (may_be_id(id)) continue;
      output::complain(Error{"'" + id + "' is no run's id", "`hark dead-letters list` lists them"});
      return exit_code::kUsage;
    }
    return settle(command.common, command.ids, retry);
  }
  const auto filter = read_filter(command.filter);
  if (!filter) return exit_code::kUsage;
  if (filter->empty() && !command.all) {
    output::complain(Error{"--filter: it is empty", "--all takes all of them"});  // perhaps a script's variable that is not set
    return exit_code::kUsage;
  }
  std::unique_ptr<RunSource> source;
  if (const auto ended = open_run_source(command.common, true, source)) return *ended;
  json runs;
  if (const auto ended = find_all(*source, *filter, runs)) return *ended;
  if (runs.empty()) output::complain(command.all ? "no dead letters" : "no dead letter matches");
  if (command.dry_run) {
    command.common.json ? output::print_json({{"dead_letters", runs}}) : print_letters(runs, source->shown_ids());
    return exit_code::kOk;
  }
  std::vector<std::string> ids;
  for (const auto& run : runs) ids.push_back(run["id"].get<std::string>());
  return settle(command.common, ids, retry);
}

}  // namespace hark
