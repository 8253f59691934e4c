// The journal, read by a command without a daemon: opened where the configuration or --journal says, and what it knows of one event.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "cli/commands.h"
#include "cli/run_table.h"
#include "core/result.h"
#include "state/journal.h"

namespace hark {

inline constexpr std::size_t kJournalPage = 500;  // rows that a command which goes through them asks for at once

// Prints what went wrong and returns the exit status; nullopt: it is open, or `journal` is null because nothing was ever written.
std::optional<int> open_for_reading(const CommonOptions& common, std::unique_ptr<JournalReader>& journal);

// {"event", "decisions", "runs"}: what became of an event, as GET /api/events/{id}/explain gives it.
Result<nlohmann::json> explanation(JournalReader& journal, const Event& event);

// Short where a person reads it on a terminal, whole for a program. The journal outlives it.
ShownId shown_ids(JournalReader& journal);

}  // namespace hark
