#include "daemon/config_tree.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/payload.h"

namespace hark {

const ConfigEntry* ConfigNode::find(std::string_view key) const {
  for (const ConfigEntry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

ConfigEntry* ConfigNode::find(std::string_view key) { return const_cast<ConfigEntry*>(std::as_const(*this).find(key)); }

bool ConfigNode::is_array_of_tables() const {
  return kind == Kind::array && !items.empty() &&
         std::all_of(items.begin(), items.end(), [](const ConfigNode& item) { return item.is(Kind::table); });
}

std::string item_path(const std::string& path, const ConfigNode& item, std::size_t index) {
  const ConfigEntry* name = item.find("name");
  if (name != nullptr && name->value.is(ConfigNode::Kind::string)) return path + "." + toml_key(name->value.text);
  return path + " #" + std::to_string(index + 1);
}

std::string_view with_article(ConfigNode::Kind kind) {
  switch (kind) {
    case ConfigNode::Kind::string:
      return "a string";
    case ConfigNode::Kind::integer:
      return "an integer";
    case ConfigNode::Kind::real:
      return "a floating-point number";
    case ConfigNode::Kind::boolean:
      return "a boolean";
    case ConfigNode::Kind::date:
      return "a date or time";
    case ConfigNode::Kind::array:
      return "an array";
    case ConfigNode::Kind::table:
      return "a table";
  }
  return "a value";
}

std::string toml_string(std::string_view text) {
  // JSON's string form is a basic string of TOML too, except that DEL must be escaped.
  std::string quoted = write_json(nlohmann::json(std::string(text)));
  std::string out;
  for (char c : quoted) {
    if (c == '\x7f') {
      out += "\\u007f";
    } else {
      out += c;
    }
  }
  return out;
}

std::string toml_key(std::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return bare ? std::string(key) : toml_string(key);
}

}  // namespace hark
