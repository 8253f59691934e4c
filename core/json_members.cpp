#include "core/json_members.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace hark {

namespace {

constexpr std::string_view kSpace = " \t\r\n";

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

std::string text_of(std::string_view quoted, bool escaped) {
  if (!escaped) return std::string(quoted.substr(1, quoted.size() - 2));
  const auto value = nlohmann::json::parse(quoted, nullptr, false);
  return value.is_string() ? value.get<std::string>() : std::string();
}

// The end of the value at `at`: the comma or the brace behind it.
std::size_t value_end(std::string_view json, std::size_t at) {
  for (int depth = 0; at < json.size();) {
    const char c = json[at];
    if (c == '"') {
      bool escaped = false;
      at = string_end(json, at, escaped);
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}')) return at;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    ++at;
  }
  return at;
}

}  // namespace

std::vector<JsonMember> json_members(std::string_view json) {
  std::vector<JsonMember> members;
  auto at = json.find_first_not_of(kSpace);
  if (at == json.npos || json[at] != '{') return members;
  for (at = json.find_first_of("\"}", at); at < json.size() && json[at] == '"'; at = json.find_first_of("\"}", at)) {
    bool escaped = false;
    const auto name_end = string_end(json, at, escaped);
    const auto begin = std::min(json.find_first_not_of(kSpace, json.find(':', name_end) + 1), json.size());
    const auto end = value_end(json, begin);
    const auto value = json.substr(begin, end - begin);
    members.push_back({text_of(json.substr(at, name_end - at), escaped), value.substr(0, value.find_last_not_of(kSpace) + 1)});
    at = end;
  }
  return members;
}

}  // namespace hark
