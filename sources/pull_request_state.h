// What is remembered of a pull request, to tell what is new about it, whoever says it: a webhook or a poll. Pure.
//
// Forges say one state in two ways: hashes of 12 digits or 40, times to the second or finer, lines that end with \r\n, a text
// that is null, labels or drafts left out, and GitLab's webhooks write a picture's address as a whole
// ("https://host/group/name/uploads/…") where its API has "/uploads/…". None of that is a difference here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "sources/pull_request.h"

namespace hark {

struct PullRequestState {
  PullRequest::State state = PullRequest::State::open;
  std::string head_sha;                            // empty: not said
  std::string text;                                // fingerprint of title, body and base, 16 hexadecimal digits
  std::optional<bool> draft;                       // nullopt: not said
  std::optional<std::vector<std::string>> labels;  // fingerprints of 8 digits, sorted; nullopt: not said
  std::optional<WallTime> updated;

  bool operator==(const PullRequestState&) const = default;
};

PullRequestState state_of(const PullRequest& request);

// What to remember once `now` is told: as state_of(), but with what it leaves out as it was known. One that is older changes
// nothing.
PullRequestState state_after(const std::optional<PullRequestState>& known, const PullRequest& now);

// What happened from the known state to this one, in the order in which it is told: opened, reopened, edited, labeled, unlabeled,
// converted_to_draft or ready_for_review, synchronize, closed or merged. Of one not known: opened, and then closed or merged if
// it is. None, where this one is older than what is known (by whole seconds: some forges tell no more).
std::vector<std::string> actions_between(const std::optional<PullRequestState>& known, const PullRequest& now);

// One line of at most limits::kPullRequestMark bytes, with a version. nullopt: none that hark writes.
std::string to_mark(const PullRequestState& state);
std::optional<PullRequestState> state_from_mark(std::string_view mark);

}  // namespace hark
