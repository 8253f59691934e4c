#include "core/template.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/payload.h"

namespace hark {

namespace {

using Json = nlohmann::json;

bool begins_name(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }
bool continues_name(char c) { return begins_name(c) || (c >= '0' && c <= '9') || c == '-'; }

// The length of a bare dotted name and its closing brace at `at`, which is after the opening one; 0: it is none.
std::size_t name_length(std::string_view text, std::size_t at) {
  const std::size_t start = at;
  if (at >= text.size() || !begins_name(text[at])) return 0;
  for (;;) {
    const std::size_t part = at;
    while (at < text.size() && continues_name(text[at])) ++at;
    if (at == part || at >= text.size()) return 0;
    if (text[at] == '}') return at - start + 1;
    if (text[at++] != '.') return 0;
  }
}

void note_unclosed(std::string_view text, std::string& unclosed) {
  const bool meant = text.starts_with("{payload.") || text.starts_with("{event.") || text.starts_with("{steps.");
  if (!meant || !unclosed.empty()) return;
  std::size_t end = 1;
  while (end < text.size() && (continues_name(text[end]) || text[end] == '.')) ++end;
  unclosed = text.substr(0, end);
}

}  // namespace

Template Template::parse(std::string_view text) {
  Template result;
  result.text_ = text;
  std::vector<Part>& parts = result.parts_;
  std::string open;  // braces of the text that are not closed yet: '{' by itself, 'E' for an escaped one
  bool fresh = true;
  const auto literal = [&](std::size_t at, char c) {
    if (fresh) parts.push_back({"", false, at});
    fresh = false;
    parts.back().text += c;
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const bool twice = text.substr(at + 1, 1) == text.substr(at, 1);
    if (c == '{' && twice) {
      literal(at++, c);
      open += 'E';
      fresh = true;  // the offsets jump by one
    } else if (c == '{') {
      const std::size_t length = at > 0 && text[at - 1] == '$' ? 0 : name_length(text, at + 1);
      if (length == 0) {
        if (at == 0 || text[at - 1] != '$') note_unclosed(text.substr(at), result.unclosed_);
        literal(at, c);
        open += '{';
        continue;
      }
      parts.push_back({std::string(text.substr(at + 1, length - 1)), true, at});
      fresh = true;
      at += length;
    } else if (c == '}') {
      const bool own = !open.empty() && open.back() == '{';
      literal(at, c);
      if (!own && !twice) continue;
      if (!open.empty()) open.pop_back();
      if (own) continue;
      ++at;
      fresh = true;
    } else {
      literal(at, c);
    }
  }
  return result;
}

std::vector<std::string> Template::names() const {
  std::vector<std::string> names;
  for (const Part& part : parts_) {
    if (part.is_name && std::find(names.begin(), names.end(), part.text) == names.end()) names.push_back(part.text);
  }
  return names;
}

std::string template_text(const Json* value) {
  if (value == nullptr || value->is_null()) return "";
  if (value->is_string()) return value->get<std::string>();
  if (!value->is_array()) return write_json(*value);
  if (std::any_of(value->begin(), value->end(), [](const Json& element) { return element.is_structured(); }))
    return write_json(*value);
  std::string joined;
  for (const Json& element : *value) {
    if (&element != &value->front()) joined += ' ';
    joined += template_text(&element);
  }
  return joined;
}

std::string Template::render(const Lookup& lookup) const {
  std::string out;
  for (const Part& part : parts_) out += part.is_name ? template_text(lookup(part.text)) : part.text;
  return out;
}

std::vector<std::string> Template::render_arguments(const Lookup& lookup) const {
  if (parts_.size() == 1 && parts_.front().is_name) {
    const Json* value = lookup(parts_.front().text);
    if (value != nullptr && value->is_array()) {
      std::vector<std::string> arguments;
      for (const Json& element : *value) arguments.push_back(template_text(&element));
      return arguments;
    }
  }
  return {render(lookup)};
}

}  // namespace hark
