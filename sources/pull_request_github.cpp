// GitHub, and Gitea and Forgejo, which write nearly the same.
#include <algorithm>
#include <array>

#include "sources/pull_request_forges.h"
#include "sources/pull_request_parts.h"

namespace hark {
namespace {

// GitHub's list has no `merged`, but `merged_at`.
void take_github_state(const JsonLook& item, PullRequest& request, NeededFields& needed) {
  const auto state = item["state"].text(16);
  if (state != "open" && state != "closed") needed.lacks("state");
  const bool merged = item["merged"].flag().value_or(false) || item["merged_at"].is_there();
  request.state = state == "open" ? PullRequest::State::open : merged ? PullRequest::State::merged : PullRequest::State::closed;
  // Of an open one it is the commit of a merge that was only tried.
  if (request.state == PullRequest::State::merged) request.merge_sha = read_sha(item["merge_commit_sha"]);
}

// What both write alike.
PullRequest common_request(const JsonLook& item, const std::string& repository, NeededFields& needed) {
  PullRequest request;
  request.repository = read_name(item["base"]["repo"]["full_name"]);
  if (request.repository.empty()) request.repository = repository;
  if (request.repository.empty()) needed.lacks("base.repo.full_name");
  request.number = needed.number(item["number"], "number");
  request.title = needed.title(item["title"], "title");
  take_github_state(item, request, needed);
  request.body = read_description(item["body"]);
  request.url = read_link(item["html_url"]);
  request.author = read_name(item["user"]["login"]);
  request.head_ref = needed.text(item["head"]["ref"], "head.ref");
  request.head_sha = read_sha(item["head"]["sha"]);
  request.head_repository = read_name(item["head"]["repo"]["full_name"]);
  request.base_ref = needed.text(item["base"]["ref"], "base.ref");
  request.base_sha = read_sha(item["base"]["sha"]);
  request.labels = read_labels(item["labels"], "name");
  request.created = read_time(item["created_at"]);
  request.updated = read_time(item["updated_at"]);
  return request;
}

NoticeResult notice_of(std::string action, const JsonLook& body, Result<PullRequest> request) {
  if (!request) return request.error();
  if (action == "closed" && request->state == PullRequest::State::merged) action = "merged";
  return std::optional(PullRequestNotice{std::move(action), read_name(body["sender"]["login"]), std::move(*request)});
}

}  // namespace

Result<PullRequest> github_request(const JsonLook& item, const std::string& repository) {
  NeededFields needed;
  auto request = common_request(item, repository, needed);
  request.draft = item["draft"].flag().value_or(false);
  request.draft_said = item["draft"].flag().has_value();
  request.labels_said = item["labels"].is_there();
  return needed.checked(std::move(request));
}

NoticeResult github_notice(std::string_view event, const JsonLook& body) {
  if (event != "pull_request") return std::optional<PullRequestNotice>();
  const auto action = body["action"].text(64);
  if (action.empty()) return lacking("action");
  const bool told = std::find(kPullRequestActions.begin(), kPullRequestActions.end(), action) != kPullRequestActions.end() &&
                    action != "merged";
  if (!told) return std::optional<PullRequestNotice>();
  return notice_of(action, body, github_request(body["pull_request"], read_name(body["repository"]["full_name"])));
}

// A draft is one by its title; newer servers also say so.
Result<PullRequest> gitea_request(const JsonLook& item, const std::string& repository) {
  NeededFields needed;
  auto request = common_request(item, repository, needed);
  if (request.author.empty()) request.author = read_name(item["user"]["username"]);
  request.draft = item["draft"].flag().value_or(has_draft_mark(request.title));
  request.draft_said = true;
  request.draft_in_title = true;
  request.labels_said = true;  // none: null, or left out
  return needed.checked(std::move(request));
}

// X-Gitea-Event is pull_request for all of them; X-Gitea-Event-Type tells them apart, and is taken as well.
NoticeResult gitea_notice(std::string_view event, const JsonLook& body) {
  constexpr std::array<std::string_view, 3> kEvents = {"pull_request", "pull_request_sync", "pull_request_label"};
  if (std::find(kEvents.begin(), kEvents.end(), event) == kEvents.end()) return std::optional<PullRequestNotice>();
  const auto told = body["action"].text(64);
  if (told.empty()) return lacking("action");
  std::string action;
  for (const char* same : {"opened", "reopened", "closed", "edited"}) {
    if (told == same) action = same;
  }
  if (told == "synchronized") action = "synchronize";
  if (told == "label_cleared") action = "unlabeled";
  if (told == "label_updated") action = "labeled";
  if (action.empty()) return std::optional<PullRequestNotice>();

  auto request = gitea_request(body["pull_request"], read_name(body["repository"]["full_name"]));
  if (!request) return request.error();
  if (told == "label_updated" && request->labels.empty()) action = "unlabeled";
  if (const auto before = body["changes"]["title"]["from"].string();
      action == "edited" && before && has_draft_mark(*before) != request->draft) {
    action = request->draft ? "converted_to_draft" : "ready_for_review";
  }
  auto notice = notice_of(action, body, std::move(request));
  if (notice && *notice && (*notice)->sender.empty()) (*notice)->sender = read_name(body["sender"]["username"]);
  return notice;
}

}  // namespace hark
