// Configuration: finds the file, reads TOML, layers `extends`, expands ${VAR}, and maps it onto Settings, gathering every error.
//
// Where: --config FILE, else ./hark.toml, $XDG_CONFIG_HOME/hark/hark.toml (~/.config), /etc/hark/hark.toml. --profile NAME:
// NAME.toml in ./profiles, $XDG_CONFIG_HOME/hark/profiles, /etc/hark/profiles, those that came with the program: in profiles
// beside it, or in share/hark/profiles beside its bin, wherever the two were moved together, then where the build was configured for.
//
// Relative paths are relative to the file that names them, and defaults (state_file, journal_file, working_directory) to the folder
// of the file that was asked for. A profile is a way of working brought to the folder one stands in: with --profile both are relative
// to the working directory, and a profile that a file extends has its paths from that file's folder.
//
// `extends` names a profile, or a file by a path (with a '/', or ending in .toml; relative to the file that says so). Tables merge
// key by key; arrays whose tables all have a name merge by name (sources always: a name is derived where none is written); other
// values are replaced. What says a thing in another way (`run` over `steps`, `unsigned` over `secret`) replaces it too.
//
// Defaults that Settings does not show: debounce of file_change 200 ms (others 0), debounce_max ten times the debounce, timeout of
// a handler 1 h, method of an http step POST when it has a body.
//
// Reads the files it is told of; safe from any thread. Values of the environment appear in no error and no warning.
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
  int line = 0;  // from 1; 0: the file as a whole
  int column = 0;
  std::string message;       // names the key, what was expected, and the nearest known name
  std::string text() const;  // "file:line:column: message"
};

// Where to look, and what the environment gives; a test passes its own.
struct ConfigRequest {
  std::optional<std::string> file;     // --config
  std::optional<std::string> profile;  // --profile
  std::filesystem::path working_directory;
  std::filesystem::path installed_profiles;  // those that came with the program that runs; empty: not known
  std::function<std::optional<std::string>(const std::string&)> environment;
};
ConfigRequest config_request_from_process();

// One effective value for `config show`: key path, value (secrets masked), and where it came from ("default" or file:line).
struct ConfigValue {
  std::string key;    // "sources.code.path"
  std::string value;  // as TOML would write it
  std::string origin;
  std::string heading;  // the table it stands in: "" (top level), "[[sources]]", "[handlers.test]", "[[handlers.test.steps]]"
  std::string name;     // the key within that table: "path", "retry.attempts"
};

struct LoadedConfig {
  Settings settings;
  std::vector<ConfigValue> values;    // in the order of the contract: top level, sources, handlers
  std::vector<std::string> warnings;  // "file:line:column: ..." worth a look, no reason to refuse; told at every start
  std::vector<std::string> hints;     // alike, but it may well be meant so: for who asks, `config check`
};

struct ConfigOutcome {
  std::optional<LoadedConfig> loaded;  // when errors is empty
  std::vector<ConfigError> errors;     // the first limits::kConfigErrorsShown of them
  std::size_t more_errors = 0;         // that are not among them
  // Known also where other things are wrong, for commands that only look for the journal or the daemon's socket. Empty: not known.
  std::filesystem::path journal_file;
  std::vector<std::filesystem::path> files;  // that were read, the one asked for first; also where they are wrong
};

ConfigOutcome load_config(const ConfigRequest& request);

}  // namespace hark
