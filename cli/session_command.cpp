#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/journal_access.h"
#include "cli/output.h"
#include "core/printable.h"
#include "daemon/session.h"

namespace hark {

using nlohmann::json;

namespace {

using Row = std::vector<output::Cell>;

std::string milliseconds_text(std::int64_t milliseconds) { return to_string(Duration(std::chrono::milliseconds(milliseconds))); }

// A row for everything, children below what they came of, further in.
class SessionTable {
 public:
  SessionTable(WallTime began, ShownId shown) : began_(began), shown_(std::move(shown)) {}

  void event(const json& event, std::size_t depth) {
    auto what = event["type"].get<std::string>();
    if (event.contains("topic")) what += " (" + event["topic"].get<std::string>() + ")";
    add(depth, what, {}, event["time"].get<std::string>(), event["source"].get<std::string>(), {}, id_of(event));
    for (const auto& each : event["runs"]) run(each, depth + 1);
  }

  std::vector<Row> rows;

 private:
  void run(const json& run, std::size_t depth) {
    const auto state = run["state"].get<std::string>();
    const auto took = run.contains("duration_ms") ? milliseconds_text(run["duration_ms"].get<std::int64_t>()) : std::string();
    add(depth, run["handler"].get<std::string>(), run.value("error", std::string()), run.value("started", run["queued"].get<std::string>()), state, took, id_of(run));
    for (const auto& step : run.value("steps", json::array())) {
      add(depth + 1, step["name"].get<std::string>(), step.value("error", std::string()), step.value("started", std::string()), step["state"].get<std::string>(), milliseconds_text(step["duration_ms"].get<std::int64_t>()), {});
    }
    for (const auto& each : run["events"]) event(each, depth + 1);
  }

  std::string id_of(const json& of) const {
    auto id = of["id"].get<std::string>();
    return shown_ ? shown_(id) : id;
  }

  void add(std::size_t depth, const std::string& what, const std::string& note, const std::string& time, const std::string& state, const std::string& took, const std::string& id) {
    const auto at = from_rfc3339(time);
    const auto offset = at ? "+" + milliseconds_text(std::chrono::duration_cast<std::chrono::milliseconds>(std::max(*at - began_, WallTime::duration::zero())).count()) : std::string();
    rows.push_back({{offset}, {std::string(depth * 2, ' ') + what}, {state, output::colour_of_state(state)}, {took}, {id}, {note}});
  }

  WallTime began_;
  ShownId shown_;
};

}  // namespace

int session_command(const CommonOptions& common, const std::string& id) {
  std::unique_ptr<JournalReader> journal;
  if (const auto ended = open_for_reading(common, journal)) return *ended;
  if (!journal) {
    output::complain(Error{"no journal yet", "nothing has arrived with this configuration"});
    return exit_code::kFailed;
  }
  const auto session = find_session(*journal, id);
  if (!session) {
    output::complain(session.error());
    return exit_code::kFailed;
  }
  if (!*session) {
    output::complain(Error{"no session, event or run is '" + id + "'", "`hark history --events` lists events; any of a session names it"});
    return exit_code::kFailed;
  }
  const auto shown = to_json(**session);
  if (common.json) {
    output::print_json(shown);
    return exit_code::kOk;
  }
  output::print_line("session " + output::printable((*session)->correlation_id) + "  " + counted((*session)->events.size(), "event") + ", " + counted((*session)->runs.size(), "run") + ", " +
                     milliseconds_text(shown.value("duration_ms", std::int64_t{0})));
  SessionTable table((*session)->events.front().time, shown_ids(*journal));
  for (const auto& event : shown["events"]) table.event(event, 0);
  output::print_table({{"AT", true}, {"WHAT"}, {"FROM, RESULT", true}, {"TOOK", true, 1}, {"ID", true, 2}, {"NOTE", false, 0, output::Overflow::wrap}}, table.rows);
  if ((*session)->cut) output::complain("there is more of it than is shown");
  return exit_code::kOk;
}

}  // namespace hark
