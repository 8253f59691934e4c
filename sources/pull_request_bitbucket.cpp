// Bitbucket: Cloud and Data Center, which have little more than the name in common. Neither has labels.
#include "sources/pull_request_forges.h"
#include "sources/pull_request_parts.h"

namespace hark {
namespace {

PullRequest::State bitbucket_state(const JsonLook& look, NeededFields& needed) {
  const auto state = look.text(16);
  if (state != "OPEN" && state != "MERGED" && state != "DECLINED" && state != "SUPERSEDED") needed.lacks("state");
  return state == "OPEN" ? PullRequest::State::open : state == "MERGED" ? PullRequest::State::merged : PullRequest::State::closed;
}

// Cloud: since 2019 a person has a nickname; teams and apps have a username.
std::string cloud_person(const JsonLook& person) {
  for (const char* key : {"nickname", "username", "display_name"}) {
    if (auto name = read_name(person[key]); !name.empty()) return name;
  }
  return {};
}

std::string center_repository(const JsonLook& ref) {
  const auto project = read_name(ref["repository"]["project"]["key"]);
  const auto slug = read_name(ref["repository"]["slug"]);
  return project.empty() || slug.empty() ? std::string() : project + "/" + slug;
}

Result<PullRequest> center_request(const JsonLook& item) {
  NeededFields needed;
  PullRequest request;
  request.repository = center_repository(item["toRef"]);
  if (request.repository.empty()) needed.lacks("toRef.repository");
  request.number = needed.number(item["id"], "id");
  request.title = needed.title(item["title"], "title");
  request.state = bitbucket_state(item["state"], needed);
  request.body = read_description(item["description"]);
  request.url = read_link(item["links"]["self"].first()["href"]);
  request.author = read_name(item["author"]["user"]["name"]);
  request.draft = item["draft"].flag().value_or(false);
  request.draft_said = item["draft"].flag().has_value();
  request.head_ref = needed.text(item["fromRef"]["displayId"], "fromRef.displayId");
  request.head_sha = read_sha(item["fromRef"]["latestCommit"]);
  request.head_repository = center_repository(item["fromRef"]);
  request.base_ref = needed.text(item["toRef"]["displayId"], "toRef.displayId");
  request.base_sha = read_sha(item["toRef"]["latestCommit"]);
  request.merge_sha = read_sha(item["properties"]["mergeCommit"]["id"]);
  request.created = read_time(item["createdDate"]);
  request.updated = read_time(item["updatedDate"]);
  return needed.checked(std::move(request));
}

// The previous target, title and text are there whether they changed or not.
std::string action_of_modified(const JsonLook& body) {
  const auto was = body["previousDraft"].flag();
  const auto is = body["pullRequest"]["draft"].flag();
  if (!was || !is || *was == *is) return "edited";
  return *is ? "converted_to_draft" : "ready_for_review";
}

std::string bitbucket_action(std::string_view event, const JsonLook& body) {
  if (event == "pullrequest:created" || event == "pr:opened") return "opened";
  if (event == "pullrequest:updated") return "edited";
  if (event == "pullrequest:fulfilled" || event == "pr:merged") return "merged";
  if (event == "pullrequest:rejected" || event == "pr:declined") return "closed";
  if (event == "pr:from_ref_updated") return "synchronize";
  return event == "pr:modified" ? action_of_modified(body) : std::string();
}

}  // namespace

Result<PullRequest> bitbucket_cloud_request(const JsonLook& item, const std::string& repository) {
  NeededFields needed;
  PullRequest request;
  request.repository = read_name(item["destination"]["repository"]["full_name"]);
  if (request.repository.empty()) request.repository = repository;
  if (request.repository.empty()) needed.lacks("destination.repository.full_name");
  request.number = needed.number(item["id"], "id");
  request.title = needed.title(item["title"], "title");
  request.state = bitbucket_state(item["state"], needed);
  request.body = read_description(item["description"].string() ? item["description"] : item["summary"]["raw"]);
  request.url = read_link(item["links"]["html"]["href"]);
  request.author = cloud_person(item["author"]);
  request.draft = item["draft"].flag().value_or(false);
  request.draft_said = item["draft"].flag().has_value();
  request.head_ref = needed.text(item["source"]["branch"]["name"], "source.branch.name");
  request.head_sha = read_sha(item["source"]["commit"]["hash"]);
  request.head_repository = read_name(item["source"]["repository"]["full_name"]);
  request.base_ref = needed.text(item["destination"]["branch"]["name"], "destination.branch.name");
  request.base_sha = read_sha(item["destination"]["commit"]["hash"]);
  request.merge_sha = read_sha(item["merge_commit"]["hash"]);
  request.created = read_time(item["created_on"]);
  request.updated = read_time(item["updated_on"]);
  return needed.checked(std::move(request));
}

NoticeResult bitbucket_notice(std::string_view event, const JsonLook& body) {
  const auto action = bitbucket_action(event, body);
  if (action.empty()) return std::optional<PullRequestNotice>();
  const bool cloud = event.starts_with("pullrequest:");
  auto request = cloud ? bitbucket_cloud_request(body["pullrequest"], read_name(body["repository"]["full_name"]))
                       : center_request(body["pullRequest"]);
  if (!request) return request.error();
  auto sender = cloud ? cloud_person(body["actor"]) : read_name(body["actor"]["name"]);
  return std::optional(PullRequestNotice{action, std::move(sender), std::move(*request)});
}

}  // namespace hark
