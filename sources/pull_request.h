// One shape of what GitHub, GitLab, Gitea, Forgejo and Bitbucket (Cloud and Data Center) say about pull and merge requests, in
// their webhooks and in their REST APIs. For who takes the webhooks and who polls; pure.
//
// The JSON may be anybody's: a field that is missing, of another type or too long counts as not said, and only what no pull
// request can be without (number, title, state, both branches, the repository) is an Error, which names the field. Texts are
// bounded by limits::kPullRequest*.
//
// The rules are from: docs.github.com, "Webhook events and payloads" and "REST API endpoints for pull requests"; docs.gitlab.com,
// "Webhook events" and "Merge requests API"; Gitea's modules/structs (hook.go, pull.go) and docs.gitea.com, "Webhooks";
// support.atlassian.com, "Event payloads"; developer.atlassian.com, "The Bitbucket Cloud REST API, Pullrequests";
// confluence.atlassian.com, "Event payload" (Bitbucket Data Center).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/payload.h"
#include "core/result.h"
#include "core/time.h"
#include "platform/forge.h"

namespace hark {

struct PullRequest {
  enum class State { open, closed, merged };

  std::string repository;  // "owner/name"; GitLab: the path with its groups; Data Center: "PROJECT/slug"
  std::uint64_t number = 0;
  std::string title;
  std::string body;  // its lines end with \n, whatever the forge says
  std::string url;
  std::string author;  // the name to log in with. GitLab's webhooks give it only where the author acts, is assigned or reviews
  State state = State::open;
  bool draft = false;
  bool draft_said = false;      // else `draft` is only what is likely: a forge of before drafts, or a text that leaves them out
  bool draft_in_title = false;  // the forge marks one by how the title begins
  std::string head_ref;
  std::string head_sha;         // hexadecimal; Bitbucket Cloud: its first 12 digits. Empty: not said, as with the other commits
  std::string head_repository;  // where the head's branch lies: of a fork another than `repository`, of a deleted one empty
  std::string base_ref;
  std::string base_sha;
  std::vector<std::string> labels;  // sorted, each once
  bool labels_said = false;         // Bitbucket has none
  std::string merge_sha;            // of a merged one
  std::optional<WallTime> created;
  std::optional<WallTime> updated;
};
std::string_view to_string(PullRequest::State state);

// What can happen to one, in GitHub's words. synchronize: the head moved; edited: title, body or base; closed: and not merged.
inline constexpr std::array<std::string_view, 10> kPullRequestActions = {
    "opened",    "reopened",         "synchronize",        "edited", "labeled",
    "unlabeled", "ready_for_review", "converted_to_draft", "closed", "merged"};

struct PullRequestNotice {
  std::string action;  // one of kPullRequestActions
  std::string sender;  // who did it; empty: not said
  PullRequest request;
};

// What a webhook says. `event` is the value of the header that names it: X-GitHub-Event, X-Gitlab-Event, X-Gitea-Event,
// X-Event-Key. nullopt: it tells nothing of a pull request's own state (a push, a comment, a review, an assignment, a deletion,
// GitLab's test).
//
// Of several changes at once the most telling is the action. Two forges do not say all: Bitbucket Cloud's "updated" is `edited`
// whatever it was (also a push), Gitea's change of labels is `labeled` unless none is left. Who knows the former state asks
// actions_between().
Result<std::optional<PullRequestNotice>> read_pull_request_notice(Forge forge, std::string_view event,
                                                                  const nlohmann::json& body);

// One item of the API's list. `repository`: as configured, where the item does not say.
Result<PullRequest> read_pull_request(Forge forge, const nlohmann::json& item, const std::string& repository);

// The data of an event git_pr: {"provider", "action", "repository", "number", "title", "body", "url", "author", "state", "draft",
// "merged", "head": {"ref", "sha", "repository"}, "base": {"ref", "sha"}, "labels"}, and where they are known "sender",
// "merge_sha", "created" and "updated". Of head and base only "repository" and the base's "sha" are left out where they are not.
Payload pull_request_data(Forge forge, const PullRequestNotice& notice);

}  // namespace hark
