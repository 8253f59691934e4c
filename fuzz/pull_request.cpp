// The first byte chooses the forge, the second the event, the rest is JSON: a webhook's body, an item of a list, a page, and a
// mark.
#include "sources/pull_request.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "fuzz/fuzz.h"
#include "sources/forge_api.h"
#include "sources/pull_request_state.h"

using namespace hark;

namespace {

void judge(const PullRequest& request) {
  HOLDS(request.number > 0);
  HOLDS(!request.repository.empty() && !request.head_ref.empty() && !request.base_ref.empty());
  HOLDS(request.title.size() <= limits::kPullRequestTitle && request.body.size() <= limits::kPullRequestBody);
  HOLDS(request.labels.size() <= limits::kPullRequestLabels && std::is_sorted(request.labels.begin(), request.labels.end()));
  const auto state = state_of(request);
  const auto mark = to_mark(state);
  HOLDS(mark.size() <= limits::kPullRequestMark);
  HOLDS(state_from_mark(mark) == state);
  HOLDS(actions_between(state, request).empty());
  HOLDS(state_after(state, request) == state);
}

}  // namespace

void fuzz(std::string_view input) {
  constexpr std::array<std::string_view, 12> kEvents = {
      "pull_request", "pull_request_sync",   "pull_request_label",  "Merge Request Hook",
      "System Hook",  "pullrequest:created", "pullrequest:updated", "pullrequest:fulfilled",
      "pr:opened",    "pr:modified",         "pr:merged",           "push"};
  if (input.size() < 2) return;
  const auto forge = static_cast<Forge>(static_cast<unsigned char>(input[0]) % 4);
  const auto event = kEvents[static_cast<unsigned char>(input[1]) % kEvents.size()];
  input.remove_prefix(2);
  if (const auto state = state_from_mark(input)) HOLDS(state_from_mark(to_mark(*state)) == state);
  if (const auto page = read_page({forge, "https://h", "a/b"}, input)) {
    HOLDS(page->requests.size() + page->unreadable.size() <= limits::kForgePage);
    for (const auto& request : page->requests) judge(request);
  }
  const auto body = parse_json(input, "it");
  if (!body) return;
  if (const auto item = read_pull_request(forge, *body, "a/b")) judge(*item);
  const auto notice = read_pull_request_notice(forge, event, *body);
  if (!notice) return HOLDS(!notice.error().message.empty());
  if (!*notice) return;
  judge((*notice)->request);
  HOLDS(std::find(kPullRequestActions.begin(), kPullRequestActions.end(), (*notice)->action) != kPullRequestActions.end());
  HOLDS(pull_request_data(forge, **notice).json().is_object());
}
