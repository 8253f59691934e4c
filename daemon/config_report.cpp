#include "daemon/config_report.h"

#include <algorithm>

#include "core/nearest.h"

namespace hark {

std::string ConfigError::text() const {
  std::string place = file;
  if (line > 0) place += ":" + std::to_string(line) + ":" + std::to_string(column);
  return place.empty() ? message : place + ": " + message;
}

ConfigReport::Entry ConfigReport::entry(const ConfigPlace& place, std::string message) {
  return {place.file ? place.file->order : 0,
          {place.file ? place.file->name : std::string(), place.line, place.column, std::move(message)}};
}

void ConfigReport::error(const ConfigPlace& place, std::string message) { errors_.push_back(entry(place, std::move(message))); }

void ConfigReport::warning(const ConfigPlace& place, std::string message) {
  warnings_.push_back(entry(place, std::move(message)));
}

void ConfigReport::hint(const ConfigPlace& place, std::string message) { hints_.push_back(entry(place, std::move(message))); }

std::vector<ConfigError> ConfigReport::sorted(std::vector<Entry> entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.key() < b.key(); });
  std::vector<ConfigError> out;
  for (Entry& entry : entries) {
    const bool again = !out.empty() && out.back().text() == entry.error.text();
    if (!again) out.push_back(std::move(entry.error));
  }
  return out;
}

std::vector<ConfigError> ConfigReport::take_errors() { return sorted(std::move(errors_)); }

std::vector<std::string> ConfigReport::texts(std::vector<Entry> entries) {
  std::vector<std::string> out;
  for (const ConfigError& each : sorted(std::move(entries))) out.push_back(each.text());
  return out;
}

std::vector<std::string> ConfigReport::take_warnings() { return texts(std::move(warnings_)); }
std::vector<std::string> ConfigReport::take_secrets() {
  std::sort(secrets_.begin(), secrets_.end());
  secrets_.erase(std::unique(secrets_.begin(), secrets_.end()), secrets_.end());
  return std::move(secrets_);
}

std::vector<std::string> ConfigReport::take_hints() { return texts(std::move(hints_)); }

namespace {

void add_variables(const ConfigNode& node, std::vector<std::string>& to) {
  for (const std::string& variable : node.variables) {
    if (std::find(to.begin(), to.end(), variable) == to.end()) to.push_back(variable);
  }
  for (const ConfigNode& item : node.items) add_variables(item, to);
  for (const ConfigEntry& entry : node.entries) add_variables(entry.value, to);
}

}  // namespace

std::string origin_of(const ConfigNode* node) {
  if (node == nullptr || node->derived || !node->place.file) return "default";
  std::string origin = node->place.file->name + ":" + std::to_string(node->place.line);
  std::string from;
  std::vector<std::string> variables;
  add_variables(*node, variables);
  for (const std::string& variable : variables) from += (from.empty() ? "${" : ", ${") + variable + "}";
  if (!from.empty()) origin += " (from " + from + ")";
  return origin;
}

std::string shown(const ConfigNode& node) {
  if (!node.variables.empty()) return "the value of ${" + node.variables.front() + "}";
  switch (node.kind) {
    case ConfigNode::Kind::string: {
      constexpr std::size_t kReadable = 60;
      const std::string quoted = toml_string(node.text);
      if (quoted.size() <= kReadable) return quoted;
      std::size_t end = kReadable - 4;
      while (end > 0 && (static_cast<unsigned char>(quoted[end]) & 0xC0) == 0x80) --end;  // not inside a character
      return quoted.substr(0, end) + "...\"";
    }
    case ConfigNode::Kind::integer:
      return std::to_string(node.integer);
    case ConfigNode::Kind::boolean:
      return node.boolean ? "true" : "false";
    default:
      return std::string(with_article(node.kind));
  }
}

namespace {

// A name for the middle of a sentence: as it is, unless it would break the line.
std::string plain(const std::string& name) {
  const bool odd = std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '`'; });
  return odd ? toml_string(name) : name;
}

}  // namespace

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  if (!near.empty()) return "; did you mean `" + plain(near) + "`?";
  constexpr std::size_t kReadable = 40;
  if (known.empty() || known.size() > kReadable) return "";
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "" : ", ") + plain(name);
  return "; known here: " + list;
}

}  // namespace hark
