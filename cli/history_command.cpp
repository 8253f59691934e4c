#include <optional>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/run_table.h"
#include "core/filter.h"
#include "core/payload.h"
#include "platform/clock.h"
#include "state/journal.h"

namespace hark {

using nlohmann::json;

namespace {

constexpr std::size_t kPage = 500;  // runs read at once while a filter looks for its matches

// Fields of a run as filters name them: "state", "event.source", "duration_ms".
bool matches(const Filter& filter, const json& run) {
  return filter.evaluate([&](std::string_view field) { return json_at(run, field); }).matches;
}

// Fills `runs` with what matches, newest first, a page at a time; `page` gets what is older than `before`.
template <class Page>
std::optional<int> collect(const HistoryCommand& command, const Filter& filter, Page page, json& runs) {
  runs = json::array();
  std::optional<std::uint64_t> before;
  while (runs.size() < command.limit) {
    const auto wanted = filter.empty() ? command.limit - runs.size() : kPage;
    json got;
    if (const auto ended = page(before, std::min(wanted, kPage), got)) return ended;
    for (auto& run : got) {
      before = run["sequence"].get<std::uint64_t>();
      if (runs.size() < command.limit && matches(filter, run)) runs.push_back(std::move(run));
    }
    if (got.size() < std::min(wanted, kPage)) break;
  }
  return std::nullopt;
}

std::string query_of(const HistoryCommand& command, std::optional<std::uint64_t> before, std::size_t limit) {
  auto query = "/api/runs?limit=" + std::to_string(limit);
  if (before) query += "&before=" + std::to_string(*before);
  if (!command.handler.empty()) query += "&handler=" + command.handler;  // a handler's name has no sign that needs an escape
  return query;
}

int ask(const HistoryCommand& command, const Filter& filter, json& shown) {
  if (!command.run.empty()) return ask_daemon_json(command.common, "GET", "/api/runs/" + command.run, {}, std::chrono::seconds(30), shown).value_or(exit_code::kOk);
  return collect(command, filter, [&](std::optional<std::uint64_t> before, std::size_t limit, json& got) -> std::optional<int> {
    json answer;
    if (const auto ended = ask_daemon_json(command.common, "GET", query_of(command, before, limit), {}, std::chrono::seconds(30), answer)) return ended;
    got = std::move(answer["runs"]);
    return std::nullopt;
  }, shown).value_or(exit_code::kOk);
}

int read(const HistoryCommand& command, const Filter& filter, json& shown) {
  const auto loaded = load_or_complain(command.common);
  if (!loaded) return exit_code::kConfig;
  auto opened = open_journal_reader(loaded->settings.journal_file);
  if (!opened) {
    output::complain(opened.error());
    return exit_code::kFailed;
  }
  if (!*opened) {
    if (command.run.empty()) {
      shown = json::array();
      return exit_code::kOk;
    }
    output::complain(Error{"no journal yet: " + loaded->settings.journal_file.string(), "nothing has run with this configuration"});
    return exit_code::kFailed;
  }
  auto& journal = ***opened;
  const auto complain = [](const Error& error) {
    output::complain(error);
    return exit_code::kFailed;
  };
  if (!command.run.empty()) {
    auto run = journal.run(command.run);
    if (!run) return complain(run.error());
    if (!*run) return complain({"no run is '" + command.run + "'", "`hark history` lists them"});
    shown = to_json(**run);
    return exit_code::kOk;
  }
  return collect(command, filter, [&](std::optional<std::uint64_t> before, std::size_t limit, json& got) -> std::optional<int> {
    RunQuery query;
    query.limit = limit;
    query.before = before;
    query.handler = command.handler;
    auto runs = journal.runs(query);
    if (!runs) return complain(runs.error());
    got = json::array();
    for (const auto& run : *runs) got.push_back(to_json(run));
    return std::nullopt;
  }, shown).value_or(exit_code::kOk);
}

}  // namespace

int history_command(const HistoryCommand& command) {
  const auto filter = Filter::parse(command.filter);
  if (!filter) {
    output::complain("--filter: " + filter.error().text());
    return exit_code::kUsage;
  }
  json shown;
  const auto status = command.from_daemon || !command.common.socket.empty() ? ask(command, *filter, shown) : read(command, *filter, shown);
  if (status != exit_code::kOk) return status;
  if (command.common.json) {
    output::print_json(command.run.empty() ? json{{"runs", shown}} : shown);
  } else if (!command.run.empty()) {
    print_run(shown);
  } else if (shown.empty()) {
    output::complain("no runs yet");
  } else {
    print_runs(shown, SystemClock().now().wall);
  }
  return exit_code::kOk;
}

}  // namespace hark
