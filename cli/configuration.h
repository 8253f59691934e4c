// The configuration as a command needs it: all of it, or only where the journal stands.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "daemon/config.h"

namespace hark {

void print_errors(const ConfigOutcome& outcome);  // standard error

ConfigRequest request_of(const CommonOptions& common);

// nullopt: the errors were printed; the command ends with exit_code::kConfig.
std::optional<LoadedConfig> load_or_complain(const CommonOptions& common);
std::optional<LoadedConfig> loaded_or_complain(ConfigOutcome outcome);

// The journal's file, for a command that needs nothing else of the configuration: a secret that is missing in this shell, or an edit
// that is half done, is a line on standard error and no more. nullopt: the place itself cannot be read; the errors were printed, and
// `way_out`, which names the option that makes the configuration needless; the command ends with exit_code::kConfig.
std::optional<std::filesystem::path> find_journal(const CommonOptions& common, std::string_view way_out);

// Names of the handlers, as far as the configuration is right; prints nothing.
std::vector<std::string> configured_handlers(const CommonOptions& common);

}  // namespace hark
