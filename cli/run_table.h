// Runs as people read them: a table of many, or one with its steps and what they wrote.
#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/time.h"

namespace hark {

// Both take the JSON form, which is what the daemon's API gives, too.
void print_runs(const nlohmann::json& runs, WallTime now);
void print_run(const nlohmann::json& run);

}  // namespace hark
