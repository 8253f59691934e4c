#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/run_table.h"
#include "core/event_json.h"
#include "platform/clock.h"
#include "state/journal.h"

namespace hark {

using nlohmann::json;

namespace {

Result<json> explain(JournalReader& journal, const std::string& id) {
  auto event = journal.event(id);
  if (!event) return event.error();
  if (!*event) return Error{"no event is '" + id + "'", "`hark history --json` names the event of each run"};
  auto decisions = journal.decisions((*event)->sequence);
  if (!decisions) return decisions.error();
  RunQuery query;
  query.event_id = (*event)->id;
  query.limit = 1000;
  auto runs = journal.runs(query);
  if (!runs) return runs.error();
  json shown = {{"event", to_json(**event)}, {"decisions", json::array()}, {"runs", json::array()}};
  for (const auto& decision : *decisions) shown["decisions"].push_back(to_json(decision));
  for (const auto& run : *runs) shown["runs"].push_back(to_json(run));
  return shown;
}

output::Colour colour_of(const std::string& verdict) {
  if (verdict == "passed") return output::Colour::green;
  return verdict == "held" ? output::Colour::yellow : output::Colour::red;
}

}  // namespace

int explain_command(const CommonOptions& common, const std::string& id) {
  const auto loaded = load_or_complain(common);
  if (!loaded) return exit_code::kConfig;
  auto opened = open_journal_reader(loaded->settings.journal_file);
  if (opened && !*opened) opened = Error{"no journal yet: " + loaded->settings.journal_file.string(), "nothing has arrived with this configuration"};
  auto shown = opened ? explain(***opened, id) : Result<json>(opened.error());
  if (!shown) {
    output::complain(shown.error());
    return exit_code::kFailed;
  }
  if (common.json) {
    output::print_json(*shown);
    return exit_code::kOk;
  }
  const auto& event = (*shown)["event"];
  output::print_line(event["id"].get<std::string>() + "  " + output::printable(event["type"].get<std::string>()) + " from '" +
                     output::printable(event["source"].get<std::string>()) + "'  " + event["time"].get<std::string>());
  std::vector<std::vector<output::Cell>> rows;
  for (const auto& decision : (*shown)["decisions"]) {
    const auto verdict = decision["verdict"].get<std::string>();
    rows.push_back({{decision["time"].get<std::string>()}, {decision["stage"].get<std::string>()}, {verdict, colour_of(verdict)},
                    {decision.value("handler", std::string{})}, {decision["reason"].get<std::string>()}});
  }
  output::print_table({{"TIME"}, {"STAGE", true}, {"VERDICT", true}, {"HANDLER"}, {"REASON"}}, rows);
  if (!(*shown)["runs"].empty()) {
    output::print_line("");
    print_runs((*shown)["runs"], SystemClock().now().wall);
  }
  return exit_code::kOk;
}

}  // namespace hark
