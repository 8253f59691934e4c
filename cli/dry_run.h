// What an event would do, as a dry run found it.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "core/decision.h"
#include "daemon/one_shot.h"

namespace hark {

std::string text_of(const Decision& decision);  // in one line
nlohmann::json to_json(const DryRun& result);
void print_dry_run(const DryRun& result);

}  // namespace hark
