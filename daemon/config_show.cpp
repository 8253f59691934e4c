#include "daemon/config_show.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace hark {
namespace {

constexpr std::string_view kMasked = "\"***\"";
// Origins stand in one column where values are short; a long value pushes its own out.
constexpr std::size_t kOriginColumn = 44;

std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 64> digits{};
  const auto [end, failure] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  std::string text(digits.data(), end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

// "user:password" of "https://user:password@host/"; empty: there is none.
std::string_view credentials_of(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == text.npos) return {};
  const std::size_t from = scheme + 3;
  const std::size_t end = std::min(text.find_first_of("/?#", from), text.size());
  const std::size_t at = text.rfind('@', end);
  if (at == text.npos || at < from || at >= end) return {};
  return text.substr(from, at - from);
}

// "https://user:password@host/" -> "https://***@host/".
std::string without_credentials(std::string text) {
  const auto credentials = credentials_of(text);
  if (credentials.data() == nullptr) return text;
  return text.replace(static_cast<std::size_t>(credentials.data() - text.data()), credentials.size(), "***");
}

}  // namespace

std::string_view password_of(std::string_view url) {
  const auto credentials = credentials_of(url);
  const auto colon = credentials.find(':');
  return colon == credentials.npos ? std::string_view() : credentials.substr(colon + 1);
}

bool is_secret_name(std::string_view name) {
  std::string plain;
  for (char c : name) {
    if (c == '-' || c == '.') c = '_';
    plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  constexpr std::array<std::string_view, 6> kNot = {"secret_file", "api_key_file", "credential", "secrets", "webhook_url_file",  // they say where a secret is, not what
                                                 "update_key"};                                               // of a comment
  if (std::find(kNot.begin(), kNot.end(), plain) != kNot.end()) return false;
  constexpr std::array<std::string_view, 12> kSigns = {"secret", "webhook_url", "slack_webhook",  "token",  "passw",         "credential", "apikey",
                                                       "api_key", "cookie", "authorization", "passphrase", "private_key"};
  const auto holds = [&](std::string_view sign) { return plain.find(sign) != std::string::npos; };
  return std::any_of(kSigns.begin(), kSigns.end(), holds) || plain.ends_with("_key") || plain == "key" || plain == "auth";
}

std::string masked_toml(const ConfigNode& node, std::string_view key) {
  switch (node.kind) {
    case ConfigNode::Kind::string:
      if (is_secret_name(key) || std::any_of(node.variables.begin(), node.variables.end(), is_secret_name))
        return std::string(kMasked);
      return toml_string(without_credentials(node.text));
    case ConfigNode::Kind::integer:
      return is_secret_name(key) ? std::string(kMasked) : std::to_string(node.integer);
    case ConfigNode::Kind::real:
      return real_text(node.real);
    case ConfigNode::Kind::boolean:
      return node.boolean ? "true" : "false";
    case ConfigNode::Kind::date:
      return node.text;
    case ConfigNode::Kind::array: {
      std::string list;
      for (const ConfigNode& item : node.items) list += (list.empty() ? "" : ", ") + masked_toml(item, key);
      return "[" + list + "]";
    }
    case ConfigNode::Kind::table: {
      std::string list;
      for (const ConfigEntry& entry : node.entries) {
        list += (list.empty() ? " " : ", ") + toml_key(entry.key) + " = " + masked_toml(entry.value, entry.key);
      }
      return list.empty() ? "{}" : "{" + list + " }";
    }
  }
  return "";
}

std::string config_show_text(const LoadedConfig& config) {
  std::string out;
  std::string_view heading;
  for (const ConfigValue& value : config.values) {
    // Each table of an array begins with its name.
    const bool next = value.heading != heading || (value.heading.starts_with("[[") && value.name == "name");
    if (next) {
      out += "\n" + value.heading + "\n";
      heading = value.heading;
    }
    std::string line = value.name + " = " + value.value;
    if (line.size() < kOriginColumn) line.append(kOriginColumn - line.size(), ' ');
    out += line + "  # " + value.origin + "\n";
  }
  return out;
}

nlohmann::json config_show_json(const LoadedConfig& config) {
  nlohmann::json values = nlohmann::json::array();
  for (const ConfigValue& value : config.values) {
    values.push_back({{"key", value.key}, {"value", value.value}, {"origin", value.origin}});
  }
  return {{"file", config.settings.file.string()}, {"values", values}, {"warnings", config.warnings}, {"hints", config.hints}};
}

}  // namespace hark
