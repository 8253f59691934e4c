// Loads the configuration for a command, printing every error it has.
#pragma once

#include <optional>

#include "cli/commands.h"
#include "daemon/config.h"

namespace hark {

void print_errors(const ConfigOutcome& outcome);  // standard error

// nullopt: the errors were printed; the command ends with exit_code::kConfig.
std::optional<LoadedConfig> load_or_complain(const CommonOptions& common);

}  // namespace hark
