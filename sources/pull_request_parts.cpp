#include "sources/pull_request_parts.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "core/hex.h"
#include "core/limits.h"
#include "platform/http.h"
#include "sources/commit_text.h"

namespace hark {

Error lacking(std::string_view field) { return Error{"the pull request has no `" + std::string(field) + "`", {}}; }

void NeededFields::lacks(const char* name) {
  if (missing_.empty()) missing_ = name;
}

std::uint64_t NeededFields::number(const JsonLook& look, const char* name) {
  const auto value = look.number().value_or(0);
  if (value == 0) lacks(name);
  return value;
}

std::string NeededFields::text(const JsonLook& look, const char* name) {
  auto value = read_name(look);
  if (value.empty()) lacks(name);
  return value;
}

std::string NeededFields::title(const JsonLook& look, const char* name) {
  if (!look.string()) lacks(name);
  return std::string(clipped_utf8(look.string().value_or(""), limits::kPullRequestTitle));
}

Result<PullRequest> NeededFields::checked(PullRequest request) const {
  if (!missing_.empty()) return lacking(missing_);
  return request;
}

std::string read_name(const JsonLook& look) { return look.text(limits::kPullRequestName); }

std::string read_link(const JsonLook& look) { return look.text(limits::kPullRequestUrl); }

// Lines end alike before the cut: the same text must be cut at the same place, whoever tells it.
std::string read_description(const JsonLook& look) {
  const auto raw = look.string().value_or("");
  std::string text;
  for (std::size_t i = 0; i < raw.size() && text.size() <= limits::kPullRequestBody + 4; ++i) {
    if (raw[i] == '\r' && i + 1 < raw.size() && raw[i + 1] == '\n') continue;
    text += raw[i] == '\r' ? '\n' : raw[i];
  }
  return std::string(clipped_utf8(text, limits::kPullRequestBody));
}

std::string read_sha(const JsonLook& look) {
  constexpr std::size_t kShortest = 7;  // of what git shortens by itself
  constexpr std::size_t kSha256 = 64;
  auto sha = look.text(kSha256);
  if (sha.size() < kShortest || !std::all_of(sha.begin(), sha.end(), [](char c) { return hex_value(c) >= 0; })) return {};
  for (char& c : sha) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  return sha;
}

// "2026-01-02 03:04:05 UTC" (GitLab's webhooks), "2026-01-02T03:04:05+0000" (Data Center with ISO dates), RFC 3339 (the others).
std::optional<WallTime> read_time(const JsonLook& look) {
  if (const auto milliseconds = look.number()) {
    constexpr std::uint64_t kYear10000 = 253'402'300'800'000;
    if (*milliseconds == 0 || *milliseconds >= kYear10000) return std::nullopt;
    return WallTime{std::chrono::milliseconds(*milliseconds)};
  }
  constexpr std::size_t kLongest = 40;
  auto text = look.text(kLongest);
  if (text.ends_with(" UTC")) text.replace(text.size() - 4, 4, "Z");
  const auto sign = text.find_last_of("+-");
  if (sign != text.npos && sign > 10 && text.size() - sign == 5) text.insert(sign + 3, ":");
  if (const auto space = text.find_last_of(' '); space != text.npos && space > 10) text.erase(space, 1);
  return from_rfc3339(text);
}

// Sorted before the bound cuts: the same of too many are kept, in whatever order they are told.
std::vector<std::string> read_labels(const JsonLook& look, const char* key) {
  std::vector<std::string> labels;
  for (const auto& each : look.list()) {
    const JsonLook label(each);
    auto name = (key == nullptr ? label : label[key]).text(limits::kPullRequestLabel);
    if (!name.empty()) labels.push_back(std::move(name));
  }
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  if (labels.size() > limits::kPullRequestLabels) labels.resize(limits::kPullRequestLabels);
  return labels;
}

std::string_view without_draft_mark(std::string_view title) {
  constexpr std::array<std::string_view, 5> kMarks = {"draft:", "[draft]", "(draft)", "wip:", "[wip]"};
  const auto mark = [&] {
    const auto found = std::find_if(kMarks.begin(), kMarks.end(),
                                    [&](auto each) { return equal_ignoring_case(title.substr(0, each.size()), each); });
    return found == kMarks.end() ? 0 : found->size();
  };
  auto rest = title;
  while (const auto length = mark()) {
    title.remove_prefix(length);
    title.remove_prefix(std::min(title.find_first_not_of(' '), title.size()));
    rest = title;
  }
  return rest;
}

}  // namespace hark
