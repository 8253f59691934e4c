#include "core/git_ignore.h"

#include <utility>

#include "core/limits.h"

namespace hark {
namespace {

constexpr std::string_view kSigns = "*?[\\";

// Unless they are quoted, spaces at the end do not count.
std::string_view without_trailing_spaces(std::string_view line) {
  std::size_t end = 0;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == ' ') continue;
    if (line[at] == '\\' && at + 1 < line.size()) ++at;
    end = at + 1;
  }
  return line.substr(0, end);
}

// In git's patterns braces mean nothing, and "**" is a "*" unless it is a segment of its own.
std::string as_glob(std::string_view pattern) {
  std::string glob;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '\\' && at + 1 < pattern.size()) {
      glob.append({c, pattern[++at]});
    } else if (c == '{' || c == '}') {
      glob.append({'\\', c});
    } else if (c == '*') {
      const std::size_t start = at;
      while (at + 1 < pattern.size() && pattern[at + 1] == '*') ++at;
      const bool segment = (start == 0 || pattern[start - 1] == '/') && (at + 1 == pattern.size() || pattern[at + 1] == '/');
      glob.append(at > start && segment ? "**" : "*");
    } else {
      glob.push_back(c);
    }
  }
  return glob;
}

}  // namespace

IgnoreRules IgnoreRules::parse(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  IgnoreRules rules;
  while (!text.empty() && rules.rules_.size() < limits::kIgnoreRules) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('#')) continue;
    if (auto rule = parse_line(without_trailing_spaces(line))) rules.rules_.push_back(std::move(*rule));
  }
  return rules;
}

std::optional<IgnoreRules::Rule> IgnoreRules::parse_line(std::string_view line) {
  Rule rule;
  if (line.starts_with('!')) rule.included = true, line.remove_prefix(1);
  if (line.ends_with('/')) rule.folders_only = true, line.remove_suffix(1);
  rule.by_name = line.find('/') == line.npos;
  if (line.starts_with('/')) line.remove_prefix(1);
  // No path is written so.
  if (line.empty() || line.starts_with('/') || line.ends_with('/') || line.starts_with("./")) return std::nullopt;
  if (line.find_first_of(kSigns) == line.npos) {
    rule.text = line;
    return rule;
  }
  if (rule.by_name && line.starts_with('*') && line.find_first_of(kSigns, 1) == line.npos) {
    rule.ending = true;
    rule.text = line.substr(1);
    return rule;
  }
  // A '/' in front has no meaning of its own any more, but keeps a pattern of one segment to the top.
  auto glob = Glob::parse((rule.by_name ? "" : "/") + as_glob(line));
  if (!glob) return std::nullopt;
  rule.glob = std::move(*glob);
  return rule;
}

bool IgnoreRules::Rule::matches(std::string_view path, std::string_view name) const {
  if (glob) return glob->matches(by_name ? name : path);
  if (ending) return name.ends_with(text);
  return text == (by_name ? name : path);
}

IgnoreRules::Verdict IgnoreRules::verdict(std::string_view path, bool is_folder) const {
  const auto name = path.substr(path.rfind('/') + 1);
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (rule->folders_only && !is_folder) continue;
    if (rule->matches(path, name)) return rule->included ? Verdict::included : Verdict::ignored;
  }
  return Verdict::none;
}

}  // namespace hark
