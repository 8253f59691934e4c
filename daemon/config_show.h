// `hark config show`: the effective configuration with the origin of every value, secrets masked.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "daemon/config.h"
#include "daemon/config_tree.h"

namespace hark {

// TOML again, each value followed by its origin: mode = "daemon"  # default
std::string config_show_text(const LoadedConfig& config);
// {"file", "values": [{"key", "value", "origin"}], "warnings": [...]}; `value` is TOML's text.
nlohmann::json config_show_json(const LoadedConfig& config);

// Whether a key, header or variable of this name holds what nobody should read: secret, token, password, api key, authorization,
// ...
bool is_secret_name(std::string_view name);

// Of user:password@host in a URL; empty: there is none.
std::string_view password_of(std::string_view url);

// A value as TOML, "***" in place of each string that is secret by its key, or that came from a variable that is secret by its
// name; user and password of a URL are masked too.
std::string masked_toml(const ConfigNode& node, std::string_view key);

}  // namespace hark
