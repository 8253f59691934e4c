// Configuration: finds the file, reads TOML, layers `extends`, expands ${VAR}, and maps it onto Settings, gathering every error.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"
#include "daemon/settings.h"

namespace hark {

struct ConfigError {
  std::string file;
  int line = 0;    // from 1; 0: the file as a whole
  int column = 0;
  std::string message;  // names the key, what was expected, and the nearest known name
  std::string text() const;  // "file:line:column: message"
};

// Where to look, and what the environment gives; a test passes its own.
struct ConfigRequest {
  std::optional<std::string> file;      // --config
  std::optional<std::string> profile;   // --profile
  std::filesystem::path working_directory;
  std::function<std::optional<std::string>(const std::string&)> environment;
};
ConfigRequest config_request_from_process();

// One effective value for `config show`: key path, value (secrets masked), and where it came from ("default" or file:line).
struct ConfigValue {
  std::string key;      // "sources.code.path"
  std::string value;    // as TOML would write it
  std::string origin;
};

struct LoadedConfig {
  Settings settings;
  std::vector<ConfigValue> values;      // in the order of the contract: top level, sources, handlers
  std::vector<std::string> warnings;    // "file:line:column: ..." worth a look, no reason to refuse
};

struct ConfigOutcome {
  std::optional<LoadedConfig> loaded;   // when errors is empty
  std::vector<ConfigError> errors;
};

ConfigOutcome load_config(const ConfigRequest& request);

}  // namespace hark
