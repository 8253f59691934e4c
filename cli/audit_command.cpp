// `hark audit`: who asked the daemon for what. Read from the journal, so that it needs no daemon.
#include <memory>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/journal_access.h"
#include "cli/output.h"

namespace hark {

using nlohmann::json;

int audit_command(const AuditCommand& command) {
  std::unique_ptr<JournalReader> journal;
  if (const auto ended = open_for_reading(command.common, journal)) return *ended;
  std::vector<AuditEntry> entries;
  if (journal) {
    auto found = journal->audit({command.limit, {}, {}, command.action, command.who});
    if (!found) {
      output::complain(found.error());
      return exit_code::kFailed;
    }
    entries = std::move(*found);
  }
  if (command.common.json) {
    json list = json::array();
    for (const auto& entry : entries) list.push_back(to_json(entry));
    output::print_json({{"entries", std::move(list)}});
    return exit_code::kOk;
  }
  const bool all = command.action.empty() && command.who.empty();
  if (entries.empty()) {
    output::complain(all ? "nothing was asked of a daemon yet" : "nothing of this was asked of a daemon");
    return exit_code::kOk;
  }
  std::vector<std::vector<output::Cell>> rows;
  for (const auto& entry : entries) {
    rows.push_back({{to_rfc3339(entry.time)},
                    {entry.who.empty() ? "-" : entry.who},
                    {entry.from},
                    {entry.action},
                    {entry.object.empty() ? "-" : entry.object},
                    {entry.done ? "done" : "refused", entry.done ? output::Colour::green : output::Colour::red},
                    {entry.outcome}});
  }
  output::print_table({{"TIME", true, 1}, {"WHO"}, {"FROM", false, 2}, {"ACTION", true}, {"OF", false, 0, output::Overflow::middle}, {"RESULT", true}, {"", false, 0, output::Overflow::wrap}}, rows);
  return exit_code::kOk;
}

}  // namespace hark
