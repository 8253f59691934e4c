// TOML text -> ConfigNode, with a place for every key and value. toml++ is met in toml_document.cpp and nowhere else.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/config_tree.h"

namespace hark {

struct TomlFault {
  ConfigPlace place;
  std::string message;
};

// The root table, or the first place where the text is no TOML. Hostile text is a fault, never a crash.
std::variant<ConfigNode, TomlFault> parse_toml(std::string_view text, std::shared_ptr<const ConfigFile> file);

}  // namespace hark
