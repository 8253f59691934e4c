#include "platform/http_routes.h"

#include <algorithm>
#include <utility>

namespace hark {

namespace {

bool is_pattern(std::string_view path) { return path.find('{') != std::string_view::npos; }

bool is_parameter(std::string_view segment) { return segment.size() > 2 && segment.front() == '{' && segment.back() == '}'; }

// Takes the segment up to the next '/' off the front of `path`; false at its end.
bool next_segment(std::string_view& path, std::string_view& segment) {
  if (path.empty() || path.front() != '/') return false;
  const auto end = path.find('/', 1);
  segment = path.substr(1, end == std::string_view::npos ? end : end - 1);
  path = end == std::string_view::npos ? std::string_view{} : path.substr(end);
  return true;
}

// Whether `path` fits; `wanted` names the parameter whose value goes to `value`.
bool fits(std::string_view pattern, std::string_view path, std::string_view wanted, std::string_view* value) {
  std::string_view expected;
  std::string_view given;
  for (;;) {
    const bool more_expected = next_segment(pattern, expected);
    const bool more_given = next_segment(path, given);
    if (!more_expected || !more_given) return more_expected == more_given;
    if (!is_parameter(expected)) {
      if (expected != given) return false;
      continue;
    }
    if (given.empty()) return false;
    if (value != nullptr && expected.substr(1, expected.size() - 2) == wanted) *value = given;
  }
}

}  // namespace

std::string path_parameter(std::string_view pattern, std::string_view path, std::string_view name) {
  std::string_view value;
  if (!fits(pattern, path, name, &value)) return {};
  return std::string(value);
}

std::vector<std::string> path_parameters(std::string_view pattern) {
  std::vector<std::string> names;
  for (std::string_view segment; next_segment(pattern, segment);) {
    if (is_parameter(segment)) names.emplace_back(segment.substr(1, segment.size() - 2));
  }
  return names;
}

bool HttpRoutes::add(HttpRoute route, bool control_only) {
  Methods* methods = nullptr;
  if (is_pattern(route.path)) {
    auto at = std::find_if(patterns_.begin(), patterns_.end(), [&](const auto& entry) { return entry.first == route.path; });
    if (at == patterns_.end()) at = patterns_.insert(at, {route.path, {}});
    methods = &at->second;
  } else {
    methods = &exact_[route.path];
  }
  for (const auto& entry : *methods) {
    if (entry->route.method == route.method) return false;
  }
  methods->push_back(std::make_shared<Entry>(Entry{std::move(route), control_only}));
  return true;
}

void HttpRoutes::remove(std::string_view method, std::string_view path) {
  const auto take_out = [&](Methods& methods) {
    std::erase_if(methods, [&](const EntryPtr& entry) {
      if (entry->route.method != method) return false;
      entry->removed = true;
      return true;
    });
    return methods.empty();
  };
  if (is_pattern(path)) {
    std::erase_if(patterns_, [&](auto& entry) { return entry.first == path && take_out(entry.second); });
  } else if (const auto found = exact_.find(std::string(path)); found != exact_.end() && take_out(found->second)) {
    exact_.erase(found);
  }
}

bool HttpRoutes::choose(const Methods& methods, std::string_view method, bool control, Match& match) {
  for (const auto& entry : methods) {
    if (entry->control_only && !control) continue;
    if (entry->route.method == method || (method == "HEAD" && entry->route.method == "GET")) {
      match.entry = entry;
      return true;
    }
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += entry->route.method;
    if (entry->route.method == "GET") match.allow += ", HEAD";
  }
  return false;
}

HttpRoutes::Match HttpRoutes::find(std::string_view method, const std::string& path, bool control) const {
  Match match;
  if (const auto found = exact_.find(path); found != exact_.end() && choose(found->second, method, control, match)) return match;
  for (const auto& [pattern, methods] : patterns_) {
    if (fits(pattern, path, {}, nullptr) && choose(methods, method, control, match)) return match;
  }
  return match;
}

}  // namespace hark
