#include "daemon/config_reader.h"

#include <algorithm>

#include "core/limits.h"
#include "core/nearest.h"
#include "core/printable.h"
#include "daemon/config_show.h"

namespace hark {
namespace {

using Kind = ConfigNode::Kind;

std::string expected(std::string_view what, const ConfigNode& found) {
  return "expected " + std::string(what) + ", found " + std::string(with_article(found.kind));
}

std::string quoted_choices(const std::vector<std::string>& choices) {
  std::vector<std::string> quoted;
  for (const auto& choice : choices) quoted.push_back("\"" + choice + "\"");
  return enumerated(quoted, "or");
}

constexpr std::string_view kDurationForm = "a duration such as \"250ms\", \"5m\" or \"24h\", at most \"36500d\"";

}  // namespace

std::string not_supported(std::string_view what) {
  return "`" + std::string(what) + "` is not supported by this version of hark";
}

std::string check_config_name(std::string_view name) {
  const auto is_letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool fits =
      !name.empty() && name.size() <= limits::kNameLength && is_letter_or_digit(name[0]) &&
      std::all_of(name.begin(), name.end(), [&](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; });
  if (fits) return "";
  return "expected a name of letters, digits, `.`, `_` and `-` that begins with a letter or digit, at most " +
         std::to_string(limits::kNameLength) + " long";
}

TableReader::TableReader(const ConfigNode& table, std::string path, std::string heading, ConfigReport& report)
    : table_(table), path_(std::move(path)), heading_(std::move(heading)), report_(report) {}

TableReader TableReader::within(const ConfigNode& table, std::string_view key) const {
  TableReader reader(table, path_of(key), heading_, report_);
  reader.prefix_ = prefix_ + toml_key(key) + ".";
  return reader;
}

std::string TableReader::path_of(std::string_view key) const {
  return path_.empty() ? toml_key(key) : path_ + "." + toml_key(key);
}

const ConfigNode* TableReader::any(std::string_view key) {
  allow(key);
  const ConfigEntry* entry = table_.find(key);
  return entry == nullptr ? nullptr : &entry->value;
}

const ConfigNode* TableReader::text(std::string_view key) {
  const ConfigNode* node = any(key);
  if (node == nullptr || node->failed) return nullptr;
  if (!node->is(Kind::string)) {
    fail(*node, key, expected("a string", *node));
    return nullptr;
  }
  if (node->text.find('\0') != std::string::npos) {
    fail(*node, key, "expected text, found a NUL character in it");
    return nullptr;
  }
  return node;
}

const ConfigNode* TableReader::table(std::string_view key) {
  const ConfigNode* node = any(key);
  if (node == nullptr) return nullptr;
  if (node->is(Kind::table)) return node;
  fail(*node, key, expected("a table", *node));
  return nullptr;
}

std::vector<const ConfigNode*> TableReader::texts(std::string_view key) {
  std::vector<const ConfigNode*> out;
  const ConfigNode* node = any(key);
  if (node == nullptr) return out;
  if (node->is(Kind::string)) {
    if (const ConfigNode* one = text(key)) out.push_back(one);
    return out;
  }
  if (!node->is(Kind::array)) {
    fail(*node, key, expected("a string or an array of strings", *node));
    return out;
  }
  for (const ConfigNode& item : node->items) {
    if (item.failed) continue;
    if (!item.is(Kind::string)) {
      fail(item, key, expected("a string", item));
    } else if (item.text.find('\0') != std::string::npos) {
      fail(item, key, "expected text, found a NUL character in it");
    } else {
      out.push_back(&item);
    }
  }
  return out;
}

std::vector<const ConfigNode*> TableReader::tables(std::string_view key) {
  std::vector<const ConfigNode*> out;
  const ConfigNode* node = any(key);
  if (node == nullptr) return out;
  if (!node->is(Kind::array)) {
    fail(*node, key, expected("an array of tables ([[" + std::string(key) + "]])", *node));
    return out;
  }
  for (const ConfigNode& item : node->items) {
    if (item.is(Kind::table)) {
      out.push_back(&item);
    } else {
      fail(item, key, expected("a table", item));
    }
  }
  return out;
}

std::optional<bool> TableReader::boolean(std::string_view key) {
  const ConfigNode* node = any(key);
  if (node == nullptr) return std::nullopt;
  if (node->is(Kind::boolean)) return node->boolean;
  fail(*node, key, expected("true or false", *node));
  return std::nullopt;
}

bool TableReader::check_range(const ConfigNode& node, std::string_view key, std::int64_t least, std::int64_t most) {
  const std::string range = "an integer from " + std::to_string(least) + " to " + std::to_string(most);
  if (!node.is(Kind::integer)) {
    fail(node, key, expected(range, node));
    return false;
  }
  if (node.integer >= least && node.integer <= most) return true;
  fail(node, key, "expected " + range + ", found " + std::to_string(node.integer));
  return false;
}

std::optional<std::int64_t> TableReader::integer(std::string_view key, std::int64_t least, std::int64_t most) {
  const ConfigNode* node = any(key);
  if (node == nullptr || !check_range(*node, key, least, most)) return std::nullopt;
  return node->integer;
}

std::vector<int> TableReader::integers(std::string_view key, int least, int most, std::string_view what) {
  std::vector<int> out;
  const ConfigNode* node = any(key);
  if (node == nullptr) return out;
  const std::string wanted = std::string(what) + " from " + std::to_string(least) + " to " + std::to_string(most);
  const auto take = [&](const ConfigNode& item) {
    if (item.is(Kind::integer) && item.integer >= least && item.integer <= most) {
      out.push_back(static_cast<int>(item.integer));
    } else {
      fail(item, key, "expected " + wanted + ", or an array of them, found " + shown(item));
    }
  };
  show(key, masked_toml(*node, key), node);
  if (!node->is(Kind::array)) return take(*node), out;
  for (const ConfigNode& item : node->items) take(item);
  if (node->items.empty()) fail(*node, key, "expected at least one, " + wanted + ", found an empty array");
  return out;
}

std::optional<double> TableReader::number(std::string_view key, double least, double most) {
  const ConfigNode* node = any(key);
  if (node == nullptr || node->failed) return std::nullopt;
  const double value = node->is(Kind::integer) ? static_cast<double>(node->integer) : node->real;
  if ((node->is(Kind::integer) || node->is(Kind::real)) && value >= least && value <= most) return value;
  std::string wanted = "a number from ";
  for (const double bound : {least, most}) wanted += std::to_string(static_cast<long>(bound)) + (bound == least ? " to " : "");
  fail(*node, key, "expected " + wanted + ", found " + shown(*node));
  return std::nullopt;
}

std::optional<Duration> TableReader::duration(std::string_view key, Duration least) {
  const ConfigNode* node = any(key);
  if (node == nullptr || node->failed) return std::nullopt;
  if (!node->is(Kind::string)) {
    fail(*node, key, expected(kDurationForm, *node));
    return std::nullopt;
  }
  const std::optional<Duration> value = parse_duration(node->text);
  if (!value) {
    fail(*node, key, "expected " + std::string(kDurationForm) + ", found " + shown(*node));
  } else if (*value < least) {
    fail(*node, key, "expected a duration of at least " + to_string(least) + ", found " + shown(*node));
  } else {
    return value;
  }
  return std::nullopt;
}

std::optional<Duration> TableReader::milliseconds(std::string_view key) {
  constexpr std::int64_t kTenYears = 3650ll * 24 * 3600 * 1000;
  const auto value = integer(key, 0, kTenYears);
  if (!value) return std::nullopt;
  return std::chrono::milliseconds(*value);
}

std::optional<Duration> TableReader::duration_or_ms(const std::string& key) {
  const std::string in_ms = key + "_ms";
  const auto as_text = duration(key, Duration::zero());
  const auto as_number = milliseconds(in_ms);
  if (has(key) && has(in_ms)) {
    fail_key(in_ms, "says the same as `" + key + "`; expected one of them");
    return std::nullopt;
  }
  return as_text ? as_text : as_number;
}

std::string TableReader::choice(std::string_view key, const std::vector<std::string>& choices, std::string_view fallback,
                                const std::vector<std::string>& not_yet) {
  const ConfigNode* node = text(key);
  if (node == nullptr) {
    if (!fallback.empty() && !has(key)) show(key, toml_string(fallback), nullptr);
    return std::string(fallback);
  }
  show_text(key, *node);
  if (std::find(choices.begin(), choices.end(), node->text) != choices.end()) return node->text;
  if (std::find(not_yet.begin(), not_yet.end(), node->text) != not_yet.end()) {
    fail(*node, key, not_supported(std::string(key) + " = \"" + node->text + "\""));
    return std::string(fallback);
  }
  std::string message = "expected " + quoted_choices(choices) + ", found " + shown(*node);
  if (const std::string near = nearest(node->text, choices); !near.empty()) message += "; did you mean \"" + near + "\"?";
  fail(*node, key, message);
  return std::string(fallback);
}

bool TableReader::boolean(std::string_view key, bool fallback) {
  const bool value = boolean(key).value_or(fallback);
  show(key, value ? "true" : "false", any(key));
  return value;
}

std::int64_t TableReader::integer(std::string_view key, std::int64_t fallback, std::int64_t least, std::int64_t most) {
  const std::int64_t value = integer(key, least, most).value_or(fallback);
  show(key, std::to_string(value), any(key));
  return value;
}

Duration TableReader::duration(std::string_view key, std::string_view fallback, Duration least) {
  const std::optional<Duration> value = duration(key, least);
  const ConfigNode* node = any(key);
  show(key, toml_string(value ? std::string_view(node->text) : fallback), node);
  return value.value_or(parse_duration(fallback).value_or(Duration::zero()));
}

std::string TableReader::string(std::string_view key, std::string_view fallback) {
  const ConfigNode* node = text(key);
  if (node == nullptr) {
    show(key, toml_string(fallback), nullptr);
    return std::string(fallback);
  }
  show_text(key, *node);
  if (node->text.empty()) fail(*node, key, "expected text, found an empty string");
  return node->text;
}

std::filesystem::path TableReader::file_path(std::string_view key, std::string_view fallback, const std::filesystem::path& base) {
  if (const ConfigNode* node = text(key)) {
    show_text(key, *node);
    return resolve(*node, key).value_or(std::filesystem::path());
  }
  if (fallback.empty() || has(key)) return {};  // what is written and unusable is not meant to be the default
  show(key, toml_string(fallback), nullptr);
  return (base / fallback).lexically_normal();
}

std::optional<std::filesystem::path> TableReader::resolve(const ConfigNode& node, std::string_view key) {
  if (node.text.empty()) {
    fail(node, key, "expected a path, found an empty string");
    return std::nullopt;
  }
  if (node.text == "~" || node.text.starts_with("~/")) {
    fail(node, key, "`~` is not expanded; write \"${HOME}" + node.text.substr(1) + "\"");
    return std::nullopt;
  }
  std::filesystem::path path(node.text);
  if (path.is_relative()) path = node.place.file->base / path;
  path = path.lexically_normal();
  // "./src/" and "./src" are one folder; an empty last part would make them two.
  if (!path.has_filename() && path.has_relative_path()) path = path.parent_path();
  return path;
}

void TableReader::fail(const ConfigNode& value, std::string_view key, const std::string& message) {
  report_.error(value.place, path_of(key) + ": " + message);
}

void TableReader::fail_key(std::string_view key, const std::string& message) {
  const ConfigEntry* entry = table_.find(key);
  report_.error(entry != nullptr ? entry->key_place : table_.place, path_of(key) + ": " + message);
}

void TableReader::fail_table(const std::string& message) {
  report_.error(table_.place, path_.empty() ? message : path_ + ": " + message);
}

void TableReader::warn(const ConfigPlace& place, std::string_view key, const std::string& message) {
  report_.warning(place, (key.empty() ? path_ : path_of(key)) + ": " + message);
}
void TableReader::warn_if_idle(std::string_view key, bool idle, const std::string& why) {
  const ConfigEntry* entry = table_.find(key);
  if (idle && entry != nullptr) warn(entry->key_place, key, "has no effect: " + why);
}

void TableReader::hint(const ConfigPlace& place, std::string_view key, const std::string& message) {
  report_.hint(place, (key.empty() ? path_ : path_of(key)) + ": " + message);
}

void TableReader::show(std::string_view key, std::string value, const ConfigNode* from) {
  const std::string name = prefix_ + toml_key(key);
  report_.value({path_of(key), std::move(value), origin_of(from), heading_, name});
}

void TableReader::keep_secret(const ConfigNode& from, std::string_view key, const std::string& value) {
  if (value.empty()) return;  // what that means is said elsewhere
  if (value.size() < limits::kSecretLeast) {
    warn(from.place, key, "is shorter than " + std::to_string(limits::kSecretLeast) + " characters: it is not masked where it turns up in outputs and logs, and easily guessed");
  }
  report_.secret(value);
}

void TableReader::show_text(std::string_view key, const ConfigNode& node) { show(key, masked_toml(node, key), &node); }

void TableReader::show_texts(std::string_view key, const std::vector<const ConfigNode*>& nodes, const ConfigNode* from) {
  std::string list;
  for (const ConfigNode* node : nodes) list += (list.empty() ? "" : ", ") + masked_toml(*node, key);
  show(key, "[" + list + "]", from);
}

void TableReader::allow(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
}

void TableReader::not_yet(std::initializer_list<std::string_view> keys) {
  not_yet_.insert(not_yet_.end(), keys.begin(), keys.end());
}

void TableReader::belongs(std::string_view key, std::string_view where) { belongs_.emplace(key, where); }

void TableReader::finish() {
  const auto is_known = [this](const std::string& key) { return std::find(known_.begin(), known_.end(), key) != known_.end(); };
  for (const ConfigEntry& entry : table_.entries) {
    if (is_known(entry.key)) continue;
    if (std::find(not_yet_.begin(), not_yet_.end(), entry.key) != not_yet_.end()) {
      fail_key(entry.key, not_supported(entry.key));
    } else if (const auto where = belongs_.find(entry.key); where != belongs_.end()) {
      fail_key(entry.key, "unknown key `" + entry.key + "` here; it belongs to " + where->second);
    } else {
      // Of a file full of them (a wrong file) only the first are looked at.
      const bool ours = entry.value.is(ConfigNode::Kind::table) && std::any_of(entry.value.entries.begin(), entry.value.entries.end(), [&](const ConfigEntry& inner) { return is_known(inner.key); });
      const auto cure = report_.crowded() ? std::string{} : ours ? "; what stands in it is written without a table, above the first one" : suggestion(entry.key, known_);
      report_.error(entry.key_place, path_of(entry.key) + ": unknown key" + cure);
    }
  }
}

}  // namespace hark
