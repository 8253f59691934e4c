#include "sources/pull_request_state.h"

#include <algorithm>
#include <charconv>

#include "core/hex.h"
#include "core/limits.h"
#include "platform/digest.h"
#include "sources/pull_request_parts.h"

namespace hark {
namespace {

constexpr std::string_view kMarkVersion = "1";
constexpr std::size_t kTextDigits = 16;
constexpr std::size_t kLabelDigits = 8;
constexpr std::size_t kCommitDigits = 12;  // of the shortest hash that a forge tells (Bitbucket Cloud)

std::string fingerprint(std::initializer_list<std::string_view> parts, std::size_t digits) {
  return to_hex(hmac(Hash::sha256, "hark pull request", parts)).substr(0, digits);
}

// The last two parts of a picture's address: an upload's are its own number and its name, wherever it is said to lie.
std::string_view end_of_address(std::string_view address) {
  if (const auto host = address.find("://"); host != address.npos) {
    const auto path = address.find('/', host + 3);
    address.remove_prefix(path == address.npos ? address.size() : path);
  }
  address.remove_prefix(std::min(address.find_first_not_of('/'), address.size()));
  const auto last = address.rfind('/');
  const auto second = last == address.npos || last == 0 ? address.npos : address.rfind('/', last - 1);
  return second == address.npos ? address : address.substr(second + 1);
}

// The addresses of Markdown's pictures, "![title](address)", shortened. Linear: a search ends where the next may begin.
std::string with_short_addresses(std::string_view body) {
  std::string text;
  bool picture = false;
  for (std::size_t at = 0; at < body.size();) {
    const auto rest = body.substr(at);
    if (rest.front() == '\n') picture = false;
    if (rest.starts_with("![")) picture = true;
    const auto end = picture && rest.starts_with("](") ? rest.find_first_of(")]\n", 2) : rest.npos;
    if (end != rest.npos && rest[end] == ')') {
      text += "](";
      text += end_of_address(rest.substr(2, end - 2));
      picture = false;
      at += end;
    } else {
      text += rest.front();
      ++at;
    }
  }
  return text;
}

// A draft's mark in the title is told as such, not as another title.
std::string fingerprint_of_text(const PullRequest& request) {
  const std::string_view title =
      request.draft_in_title && request.draft ? without_draft_mark(request.title) : std::string_view(request.title);
  const auto body = with_short_addresses(request.body);
  const auto sizes = std::to_string(title.size()) + ":" + std::to_string(body.size()) + ":";
  return fingerprint({sizes, title, body, request.base_ref}, kTextDigits);
}

bool same_head(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return true;
  const auto length = std::min(a.size(), b.size());
  return a == b || (length >= kCommitDigits && a.substr(0, length) == b.substr(0, length));
}

bool is_older(const PullRequestState& state, const PullRequestState& known) {
  using std::chrono::floor;
  using std::chrono::seconds;
  return state.updated && known.updated && floor<seconds>(*state.updated) < floor<seconds>(*known.updated);
}

// A merged one stays it: only what leaves out that it was merged says otherwise.
bool still_merged(const PullRequestState& known, PullRequest::State now) {
  return known.state == PullRequest::State::merged && now == PullRequest::State::closed;
}

bool has_more_than(const std::vector<std::string>& labels, const std::vector<std::string>& others) {
  return !std::includes(others.begin(), others.end(), labels.begin(), labels.end());
}

bool all_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string joined_labels(const std::optional<std::vector<std::string>>& labels) {
  if (!labels) return "?";
  if (labels->empty()) return "-";
  std::string text;
  for (const auto& label : *labels) text += (text.empty() ? "" : ",") + label;
  return text;
}

bool take_mark_labels(std::string_view text, PullRequestState& state) {
  if (text == "?") return true;
  state.labels.emplace();
  if (text == "-") return true;
  while (text.size() >= kLabelDigits && all_hex(text.substr(0, kLabelDigits)) &&
         state.labels->size() < limits::kPullRequestLabels) {
    state.labels->emplace_back(text.substr(0, kLabelDigits));
    text.remove_prefix(kLabelDigits);
    if (text.empty()) return std::is_sorted(state.labels->begin(), state.labels->end());
    if (text.front() != ',') return false;
    text.remove_prefix(1);
  }
  return false;
}

bool take_mark_state(std::string_view text, PullRequestState& state) {
  for (const auto each : {PullRequest::State::open, PullRequest::State::closed, PullRequest::State::merged}) {
    if (to_string(each) != text) continue;
    state.state = each;
    return true;
  }
  return false;
}

bool take_mark_time(std::string_view text, PullRequestState& state) {
  if (text == "-") return true;
  std::int64_t microseconds = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), microseconds);
  if (failure != std::errc{} || end != text.data() + text.size()) return false;
  state.updated = WallTime{std::chrono::microseconds(microseconds)};
  return true;
}

bool take_mark_draft(std::string_view text, PullRequestState& state) {
  if (text == "draft" || text == "ready") state.draft = text == "draft";
  return text == "?" || state.draft.has_value();
}

}  // namespace

PullRequestState state_of(const PullRequest& request) {
  PullRequestState state;
  state.state = request.state;
  state.head_sha = request.head_sha;
  state.text = fingerprint_of_text(request);
  if (request.draft_said) state.draft = request.draft;
  if (request.labels_said) {
    state.labels.emplace();
    for (const auto& label : request.labels) state.labels->push_back(fingerprint({label}, kLabelDigits));
    std::sort(state.labels->begin(), state.labels->end());
  }
  state.updated = request.updated;
  return state;
}

PullRequestState state_after(const std::optional<PullRequestState>& known, const PullRequest& now) {
  auto state = state_of(now);
  if (!known) return state;
  if (is_older(state, *known)) return *known;
  if (still_merged(*known, state.state)) state.state = known->state;
  if (same_head(state.head_sha, known->head_sha) && known->head_sha.size() > state.head_sha.size())
    state.head_sha = known->head_sha;
  if (!state.draft) state.draft = known->draft;
  if (!state.labels) state.labels = known->labels;
  state.updated = std::max(state.updated, known->updated);
  return state;
}

std::vector<std::string> actions_between(const std::optional<PullRequestState>& known, const PullRequest& request) {
  std::vector<std::string> actions;
  const auto now = state_of(request);
  const bool open = now.state == PullRequest::State::open;
  if (!known) {
    actions.emplace_back("opened");
    if (!open) actions.emplace_back(to_string(now.state));
    return actions;
  }
  if (is_older(now, *known)) return actions;
  if (open && known->state != PullRequest::State::open) actions.emplace_back("reopened");
  if (now.text != known->text) actions.emplace_back("edited");
  if (now.labels && known->labels && has_more_than(*now.labels, *known->labels)) actions.emplace_back("labeled");
  if (now.labels && known->labels && has_more_than(*known->labels, *now.labels)) actions.emplace_back("unlabeled");
  if (now.draft && known->draft && *now.draft != *known->draft)
    actions.emplace_back(*now.draft ? "converted_to_draft" : "ready_for_review");
  if (!same_head(now.head_sha, known->head_sha)) actions.emplace_back("synchronize");
  if (!open && now.state != known->state && !still_merged(*known, now.state)) actions.emplace_back(to_string(now.state));
  return actions;
}

// "1 open HEAD TEXT ready TIME LABELS", each "-" or "?" where there is none.
std::string to_mark(const PullRequestState& state) {
  std::string mark(kMarkVersion);
  mark += ' ';
  mark += to_string(state.state);
  mark += " " + (state.head_sha.empty() ? "-" : state.head_sha) + " " + state.text;
  mark += !state.draft ? " ?" : *state.draft ? " draft" : " ready";
  mark += " " + (state.updated ? std::to_string(state.updated->time_since_epoch().count()) : "-");
  return mark + " " + joined_labels(state.labels);
}

std::optional<PullRequestState> state_from_mark(std::string_view mark) {
  if (mark.size() > limits::kPullRequestMark) return std::nullopt;
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at <= mark.size();) {
    const auto end = std::min(mark.find(' ', at), mark.size());
    words.push_back(mark.substr(at, end - at));
    at = end + 1;
  }
  if (words.size() != 7 || words[0] != kMarkVersion) return std::nullopt;
  PullRequestState state;
  if (!take_mark_state(words[1], state)) return std::nullopt;
  if (words[2].empty() || (words[2] != "-" && !all_hex(words[2]))) return std::nullopt;
  if (words[2] != "-") state.head_sha = words[2];
  if (words[3].size() != kTextDigits || !all_hex(words[3])) return std::nullopt;
  state.text = words[3];
  if (!take_mark_draft(words[4], state) || !take_mark_time(words[5], state) || !take_mark_labels(words[6], state))
    return std::nullopt;
  return state;
}

}  // namespace hark
