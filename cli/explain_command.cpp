#include <algorithm>
#include <chrono>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/journal_access.h"
#include "cli/output.h"
#include "cli/run_table.h"
#include "platform/clock.h"

namespace hark {

using nlohmann::json;

namespace {

constexpr std::size_t kShownData = 200;
constexpr auto kShortPatience = std::chrono::seconds(5);

Result<json> explain(JournalReader& journal, const std::string& id) {
  auto event = find_event(journal, id);
  if (!event) return event.error();
  if (!*event) return Error{"no event and no run is '" + id + "'", "`hark history --events` lists events, `hark history` runs"};
  return explanation(journal, **event);
}

// Why a run has not begun is known to the daemon alone.
void add_waiting(const CommonOptions& common, json& shown) {
  auto& runs = shown["runs"];
  const auto waits = [](const json& run) { return run["state"] == "queued"; };
  if (std::none_of(runs.begin(), runs.end(), waits)) return;
  const auto journal = find_journal(common, {});
  const auto known = journal ? daemon_knows(*journal, "/api/events/" + shown["event"]["id"].get<std::string>() + "/explain", kShortPatience) : std::nullopt;
  for (auto& run : runs) {
    if (!waits(run)) continue;
    run["waiting"] = "no daemon runs: it begins when one is started";
    if (!known) continue;
    for (const auto& theirs : (*known)["runs"]) {
      if (theirs["id"] == run["id"]) run["waiting"] = theirs.value("waiting", "it has begun meanwhile");
    }
  }
}

// For one look; --json has all of it.
std::string shortened(std::string text) {
  if (text.size() <= kShownData) return text;
  std::size_t end = kShownData;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not within a character
  return text.substr(0, end) + "... (" + std::to_string(text.size()) + " bytes: --json)";
}

output::Colour colour_of(const std::string& verdict) {
  if (verdict == "passed") return output::Colour::green;
  return verdict == "held" ? output::Colour::yellow : output::Colour::red;
}

}  // namespace

int explain_command(const CommonOptions& common, const std::string& id) {
  std::unique_ptr<JournalReader> journal;
  if (const auto ended = open_for_reading(common, journal)) return *ended;
  if (!journal) {
    output::complain(Error{"no journal yet", "nothing has arrived with this configuration"});
    return exit_code::kFailed;
  }
  auto shown = explain(*journal, id);
  if (!shown) {
    output::complain(shown.error());
    return exit_code::kFailed;
  }
  add_waiting(common, *shown);
  if (common.json) {
    output::print_json(*shown);
    return exit_code::kOk;
  }
  const auto& event = (*shown)["event"];
  output::print_line(event["id"].get<std::string>() + "  " + output::printable(event["type"].get<std::string>()) + " from '" +
                     output::printable(event["source"].get<std::string>()) + "'  " + event["time"].get<std::string>() +
                     (event.contains("replay_of") ? "  a replay of " + event["replay_of"].get<std::string>() : ""));
  if (!event["data"].is_null()) output::print_table({{"DATA", false, 0, output::Overflow::wrap}}, {{{shortened(event["data"].dump(-1, ' ', false, json::error_handler_t::replace))}}});
  std::vector<std::vector<output::Cell>> rows;
  for (const auto& decision : (*shown)["decisions"]) {
    const auto verdict = decision["verdict"].get<std::string>();
    rows.push_back({{decision["time"].get<std::string>()}, {decision["stage"].get<std::string>()}, {verdict, colour_of(verdict)},
                    {decision.value("handler", std::string{})}, {decision["reason"].get<std::string>()}});
  }
  output::print_table({{"TIME", true, 1}, {"STAGE", true}, {"VERDICT", true}, {"HANDLER"}, {"REASON", false, 0, output::Overflow::wrap}}, rows);
  if (!(*shown)["runs"].empty()) {
    output::print_line("");
    print_runs((*shown)["runs"], SystemClock().now().wall, shown_ids(*journal));
    for (const auto& run : (*shown)["runs"]) {
      if (run.contains("waiting")) output::print_line(run["handler"].get<std::string>() + " waits: " + output::printable(run["waiting"].get<std::string>()));
      if (const auto note = dead_letter_note(run); !note.empty()) output::print_line(run["handler"].get<std::string>() + " " + note);
    }
  }
  return exit_code::kOk;
}

}  // namespace hark
