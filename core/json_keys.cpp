#include "core/json_keys.h"

#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

namespace hark {

namespace {

// The end of the string that opens at `at`: behind its closing quote. Strings are most of a payload: the quote is searched for,
// and once only between two escaped ones.
std::size_t string_end(std::string_view json, std::size_t at, bool& escaped) {
  std::size_t quote = 0;
  for (++at; at < json.size();) {
    if (quote < at) quote = std::min(json.find('"', at), json.size());
    const auto backslash = json.substr(0, quote).find('\\', at);
    if (backslash == std::string_view::npos) return std::min(quote + 1, json.size());
    escaped = true;
    at = backslash + 2;
  }
  return json.size();
}

struct Keys {
  std::vector<std::string_view> plain;  // of the text, without quotes
  std::vector<std::string> unescaped;
};

Keys outermost_keys(std::string_view json) {
  Keys keys;
  int depth = 0;
  bool key_expected = false;
  for (std::size_t at = 0; at < json.size();) {
    const char c = json[at];
    if (c != '"') {
      if (c == '{' || c == '[') key_expected = ++depth == 1 && c == '{';
      if (c == '}' || c == ']') --depth;
      if (c == ',' && depth == 1) key_expected = true;
      ++at;
      continue;
    }
    bool escaped = false;
    const auto end = string_end(json, at, escaped);
    if (depth == 1 && key_expected) {
      key_expected = false;
      const auto quoted = json.substr(at, end - at);
      if (!escaped) {
        keys.plain.push_back(quoted.substr(1, quoted.size() - 2));
      } else if (const auto value = nlohmann::json::parse(quoted, nullptr, false); value.is_string()) {
        keys.unescaped.push_back(value.get<std::string>());
      }
    }
    at = end;
  }
  return keys;
}

}  // namespace

std::optional<std::string> duplicate_key(std::string_view json) {
  const auto first = json.find_first_of("{[\"");
  if (first == std::string_view::npos || json[first] != '{') return std::nullopt;
  auto keys = outermost_keys(json);
  keys.plain.insert(keys.plain.end(), keys.unescaped.begin(), keys.unescaped.end());
  std::sort(keys.plain.begin(), keys.plain.end());
  const auto twice = std::adjacent_find(keys.plain.begin(), keys.plain.end());
  if (twice == keys.plain.end()) return std::nullopt;
  return std::string(*twice);
}

Result<Payload> parse_event_data(std::string text) {
  auto payload = Payload::parse(std::move(text));
  if (!payload) return payload;
  if (const auto key = duplicate_key(payload->text())) {
    return Error{"the key " + write_json(key->substr(0, 80)) + " is there more than once", ""};
  }
  return payload;
}

}  // namespace hark
