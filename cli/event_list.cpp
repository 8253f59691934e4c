#include "cli/event_list.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "cli/exit_codes.h"
#include "cli/journal_access.h"
#include "cli/output.h"
#include "platform/clock.h"

namespace hark {

using nlohmann::json;

namespace {

// The explanations of what matches, newest first.
Result<json> collect(JournalReader& journal, const HistoryCommand& command, const Filter& filter) {
  EventQuery query;
  query.limit = command.limit;
  query.filter = filter;
  auto events = journal.events(query);
  if (!events) return events.error();
  json shown = json::array();
  for (const auto& event : *events) {
    auto explained = explanation(journal, event);
    if (!explained) return explained.error();
    shown.push_back(std::move(*explained));
  }
  return shown;
}

// "test: succeeded, deploy: failed"; where nothing ran, the decision that stopped it.
output::Cell outcome_of(const json& explained) {
  std::string text;
  for (const auto& run : explained["runs"]) {
    const auto one = run["handler"].get<std::string>() + ": " + run["state"].get<std::string>();
    text = text.empty() ? one : one + ", " + text;  // they come newest first
  }
  if (!text.empty()) return {text};
  std::string reason = "no handler wants it";
  for (const auto& decision : explained["decisions"]) {
    if (decision["stage"] == "dedupe") continue;  // another arrival says nothing of what became of this one
    // Of what passes only the end of a debounce says more than that it passed: merged with others, it lives on in another event.
    if (decision["verdict"] != "passed" || decision["stage"] == "debounce") reason = decision["reason"].get<std::string>();
  }
  return {reason, output::Colour::grey};
}

void print_events(const json& events, WallTime now, const ShownId& shown_id) {
  std::vector<std::vector<output::Cell>> rows;
  for (const auto& explained : events) {
    const auto& event = explained["event"];
    const auto id = event["id"].get<std::string>();
    const auto time = from_rfc3339(event["time"].get<std::string>());
    rows.push_back({{shown_id ? shown_id(id) : id},
                    {time ? output::ago(*time, now) : "-"},
                    {event["source"].get<std::string>()},
                    {event["type"].get<std::string>() + (event.contains("replay_of") ? " (replay)" : "")},
                    {event.value("subject", std::string{})},
                    outcome_of(explained)});
  }
  output::print_table({{"EVENT", true}, {"WHEN", true}, {"SOURCE"}, {"TYPE", false, 1}, {"SUBJECT", false, 2}, {"RUNS"}}, rows);
}

}  // namespace

int list_events(const HistoryCommand& command, const Filter& filter) {
  std::unique_ptr<JournalReader> journal;
  if (const auto ended = open_for_reading(command.common, journal)) return *ended;
  auto events = journal ? collect(*journal, command, filter) : Result<json>(json::array());
  if (!events) {
    output::complain(events.error());
    return exit_code::kFailed;
  }
  if (events->empty()) output::complain(filter.empty() ? "no events yet" : "no event matches");
  if (command.common.json) {
    output::print_json({{"events", *events}});
  } else if (!events->empty()) {
    print_events(*events, SystemClock().now().wall, shown_ids(*journal));
  }
  return exit_code::kOk;
}

}  // namespace hark
