// Runs as people read them: a table of many, or one with its steps and what they wrote.
#pragma once

#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "core/time.h"

namespace hark {

using ShownId = std::function<std::string(const std::string& id)>;

// Both take the JSON form, which is what the daemon's API gives, too. `shown_id`: an id as the table shows it; not set: whole.
void print_runs(const nlohmann::json& runs, WallTime now, const ShownId& shown_id = {});
void print_run(const nlohmann::json& run);

// Where a run stands in the dead letters: that it does, and the command that retries it; else empty.
std::string dead_letter_note(const nlohmann::json& run);

}  // namespace hark
