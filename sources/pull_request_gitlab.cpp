// GitLab: merge requests, whose webhooks and API have different names for much.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "sources/pull_request_forges.h"
#include "sources/pull_request_parts.h"

namespace hark {
namespace {

// What `item` (the API's, or object_attributes) writes alike. A locked one is about to be merged, and open again if that fails.
PullRequest merge_request(const JsonLook& item, NeededFields& needed) {
  PullRequest request;
  request.number = needed.number(item["iid"], "iid");
  request.title = needed.title(item["title"], "title");
  const auto state = item["state"].text(16);
  if (state != "opened" && state != "locked" && state != "closed" && state != "merged") needed.lacks("state");
  request.state = state == "merged"   ? PullRequest::State::merged
                  : state == "closed" ? PullRequest::State::closed
                                      : PullRequest::State::open;
  request.body = read_description(item["description"]);
  request.head_ref = needed.text(item["source_branch"], "source_branch");
  request.base_ref = needed.text(item["target_branch"], "target_branch");
  request.base_sha = read_sha(item["diff_refs"]["base_sha"]);
  const auto draft = item["draft"].flag();
  request.draft = draft.value_or(item["work_in_progress"].flag().value_or(has_draft_mark(request.title)));
  request.draft_said = true;
  request.draft_in_title = true;
  if (request.state == PullRequest::State::merged) request.merge_sha = read_sha(item["merge_commit_sha"]);
  if (request.state == PullRequest::State::merged && request.merge_sha.empty())
    request.merge_sha = read_sha(item["squash_commit_sha"]);
  request.created = read_time(item["created_at"]);
  request.updated = read_time(item["updated_at"]);
  return request;
}

// The webhook has the author's number, and the names of those who act, are assigned or review.
std::string author_in_webhook(const JsonLook& body, const std::string& action) {
  const auto author = body["object_attributes"]["author_id"].number();
  const auto is_author = [&](const JsonLook& user) { return author && user["id"].number() == author; };
  const auto user = body["user"];
  if (is_author(user) || (action == "open" && !user["id"].is_there())) return read_name(user["username"]);
  for (const char* list : {"assignees", "reviewers"}) {
    for (const auto& each : body[list].list()) {
      if (is_author(JsonLook(each))) return read_name(JsonLook(each)["username"]);
    }
  }
  return {};
}

Result<PullRequest> request_in_webhook(const JsonLook& body, const std::string& action) {
  const auto attributes = body["object_attributes"];
  NeededFields needed;
  auto request = merge_request(attributes, needed);
  request.repository = read_name(body["project"]["path_with_namespace"]);
  if (request.repository.empty())
    request.repository = needed.text(attributes["target"]["path_with_namespace"], "project.path_with_namespace");
  request.url = read_link(attributes["url"]);
  request.author = author_in_webhook(body, action);
  request.head_sha = read_sha(attributes["last_commit"]["id"]);
  request.head_repository = read_name(attributes["source"]["path_with_namespace"]);
  const auto labels = body["labels"].is_there() ? body["labels"] : attributes["labels"];
  request.labels = read_labels(labels, "title");
  request.labels_said = labels.is_there();
  return needed.checked(std::move(request));
}

bool has_other_than(const std::vector<std::string>& labels, const std::vector<std::string>& others) {
  return !std::includes(others.begin(), others.end(), labels.begin(), labels.end());
}

// Of an `update`; empty: nothing that is told. `changes` may also hold what did not change.
std::string action_of_update(const JsonLook& body) {
  const auto changes = body["changes"];
  if (!body["object_attributes"]["oldrev"].text(64).empty()) return "synchronize";
  const auto drafts = changes["draft"].is_there() ? changes["draft"] : changes["work_in_progress"];
  auto was = drafts["previous"].flag();
  auto is = drafts["current"].flag();
  const auto title = changes["title"];
  if (!was && title["previous"].string()) was = has_draft_mark(*title["previous"].string());
  if (!is && title["current"].string()) is = has_draft_mark(*title["current"].string());
  if (was && is && *was != *is) return *is ? "converted_to_draft" : "ready_for_review";
  for (const char* field : {"title", "description", "target_branch"}) {
    if (changes[field].is_there() && changes[field]["previous"].value() != changes[field]["current"].value()) return "edited";
  }
  const auto before = read_labels(changes["labels"]["previous"], "title");
  const auto after = read_labels(changes["labels"]["current"], "title");
  if (has_other_than(after, before)) return "labeled";
  if (has_other_than(before, after)) return "unlabeled";
  return {};
}

std::string gitlab_action(const JsonLook& body) {
  const auto told = body["object_attributes"]["action"].text(64);
  if (told == "open") return "opened";
  if (told == "reopen") return "reopened";
  if (told == "close") return "closed";
  if (told == "merge") return "merged";
  return told == "update" ? action_of_update(body) : std::string();
}

}  // namespace

// A system hook has one name for all events. The test that its settings offer has no action.
NoticeResult gitlab_notice(std::string_view event, const JsonLook& body) {
  const bool about_one =
      event == "Merge Request Hook" || (event == "System Hook" && body["object_kind"].text(64) == "merge_request");
  if (!about_one) return std::optional<PullRequestNotice>();
  if (!body["object_attributes"].is_there()) return lacking("object_attributes");
  const auto action = gitlab_action(body);
  if (action.empty()) return std::optional<PullRequestNotice>();
  auto request = request_in_webhook(body, body["object_attributes"]["action"].text(64));
  if (!request) return request.error();
  return std::optional(PullRequestNotice{action, read_name(body["user"]["username"]), std::move(*request)});
}

Result<PullRequest> gitlab_request(const JsonLook& item, const std::string& repository) {
  NeededFields needed;
  auto request = merge_request(item, needed);
  const auto full = read_name(item["references"]["full"]);  // "group/project!1"
  request.repository = full.find('!') == full.npos ? repository : full.substr(0, full.find('!'));
  if (request.repository.empty()) needed.lacks("references.full");
  request.url = read_link(item["web_url"]);
  request.author = read_name(item["author"]["username"]);
  request.head_sha = read_sha(item["sha"]);
  const auto source = item["source_project_id"].number();
  if (source && source == item["target_project_id"].number()) request.head_repository = request.repository;
  // Strings, or objects for who asked for with_labels_details.
  const bool detailed = item["labels"].first()["name"].is_there();
  request.labels = read_labels(item["labels"], detailed ? "name" : nullptr);
  request.labels_said = item["labels"].is_there();
  return needed.checked(std::move(request));
}

}  // namespace hark
