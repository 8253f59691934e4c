#include "cli/journal_access.h"

#include <nlohmann/json.hpp>

#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "core/event_json.h"

namespace hark {

using nlohmann::json;

std::optional<int> open_for_reading(const CommonOptions& common, std::unique_ptr<JournalReader>& journal) {
  const auto file = find_journal(common, "mend it, or name the journal with --journal FILE");
  if (!file) return exit_code::kConfig;
  auto opened = open_journal_reader(*file);
  if (!opened) {
    output::complain(opened.error());
    return exit_code::kFailed;
  }
  if (*opened) {
    journal = std::move(**opened);
  } else if (!common.journal.empty()) {
    output::complain(Error{"no such journal: " + common.journal, "`hark config show` says where the configuration has it: journal_file"});
    return exit_code::kFailed;
  }
  return std::nullopt;
}

Result<json> explanation(JournalReader& journal, const Event& event) {
  auto decisions = journal.decisions(event.sequence);
  if (!decisions) return decisions.error();
  RunQuery query;
  query.event_id = event.id;
  query.limit = 1000;
  auto runs = journal.runs(query);
  if (!runs) return runs.error();
  json shown = {{"event", to_json(event)}, {"decisions", json::array()}, {"runs", json::array()}};
  for (const auto& decision : *decisions) shown["decisions"].push_back(to_json(decision));
  for (const auto& run : *runs) shown["runs"].push_back(to_json(run));
  return shown;
}

ShownId shown_ids(JournalReader& journal) {
  if (!output::is_terminal()) return {};
  return [&journal](const std::string& id) {
    auto shortened = journal.short_id(id);
    return shortened ? std::move(*shortened) : id;
  };
}

}  // namespace hark
