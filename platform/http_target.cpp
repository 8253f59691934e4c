#include "platform/http_target.h"

#include <algorithm>

#include "core/hex.h"
#include "platform/http.h"

namespace hark {

namespace {

bool has_dot_segment(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);  // its '/'
    const auto end = std::min(path.find('/'), path.size());
    const auto segment = path.substr(0, end);
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(end);
  }
  return false;
}

bool decode_path(std::string_view raw, std::string& path) {
  if (raw.find('%') == std::string_view::npos) {
    path = raw;
    return true;
  }
  path.clear();
  path.reserve(raw.size());
  for (std::size_t at = 0; at < raw.size(); ++at) {
    if (raw[at] != '%') {
      path += raw[at];
      continue;
    }
    if (at + 2 >= raw.size()) return false;
    const int high = hex_value(raw[at + 1]);
    const int low = hex_value(raw[at + 2]);
    if (high < 0 || low < 0) return false;
    const int byte = high * 16 + low;
    if (byte < 0x20 || byte == 0x7f || byte == '/') return false;
    path += static_cast<char>(byte);
    at += 2;
  }
  return true;
}

}  // namespace

bool parse_http_target(std::string_view target, HttpTarget& into) {
  into.authority.clear();
  if (target.empty() || target.find('#') != std::string_view::npos) return false;
  if (target.front() != '/') {
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
      target.remove_prefix(scheme.size());
      const auto end = std::min(target.find_first_of("/?"), target.size());
      into.authority = target.substr(0, end);
      target.remove_prefix(end);
      break;
    }
    if (into.authority.empty() || into.authority.find('@') != std::string::npos) return false;
  }
  const auto question = std::min(target.find('?'), target.size());
  const auto path = target.substr(0, question);
  into.query = question < target.size() ? target.substr(question + 1) : std::string_view{};
  if (path.empty()) {
    into.path = "/";
    return true;
  }
  return decode_path(path, into.path) && !has_dot_segment(into.path);
}

}  // namespace hark
