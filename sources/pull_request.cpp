#include "sources/pull_request.h"

#include <nlohmann/json.hpp>

#include "sources/pull_request_forges.h"

namespace hark {

std::string_view to_string(PullRequest::State state) {
  switch (state) {
    case PullRequest::State::open:
      return "open";
    case PullRequest::State::closed:
      return "closed";
    case PullRequest::State::merged:
      return "merged";
  }
  return "";
}

Result<std::optional<PullRequestNotice>> read_pull_request_notice(Forge forge, std::string_view event,
                                                                  const nlohmann::json& body) {
  const JsonLook look(body);
  switch (forge) {
    case Forge::github:
      return github_notice(event, look);
    case Forge::gitlab:
      return gitlab_notice(event, look);
    case Forge::gitea:
      return gitea_notice(event, look);
    case Forge::bitbucket:
      return bitbucket_notice(event, look);
  }
  return std::optional<PullRequestNotice>();
}

Result<PullRequest> read_pull_request(Forge forge, const nlohmann::json& item, const std::string& repository) {
  const JsonLook look(item);
  switch (forge) {
    case Forge::github:
      return github_request(look, repository);
    case Forge::gitlab:
      return gitlab_request(look, repository);
    case Forge::gitea:
      return gitea_request(look, repository);
    case Forge::bitbucket:
      return bitbucket_cloud_request(look, repository);
  }
  return Error{"no forge", {}};
}

Payload pull_request_data(Forge forge, const PullRequestNotice& notice) {
  const PullRequest& request = notice.request;
  nlohmann::json data = {
      {"provider", to_string(forge)},
      {"action", notice.action},
      {"repository", request.repository},
      {"number", request.number},
      {"title", request.title},
      {"body", request.body},
      {"url", request.url},
      {"author", request.author},
      {"state", to_string(request.state)},
      {"draft", request.draft},
      {"merged", request.state == PullRequest::State::merged},
      {"head", {{"ref", request.head_ref}, {"sha", request.head_sha}}},
      {"base", {{"ref", request.base_ref}}},
      {"labels", request.labels},
  };
  if (!notice.sender.empty()) data["sender"] = notice.sender;
  if (!request.head_repository.empty()) data["head"]["repository"] = request.head_repository;
  if (!request.base_sha.empty()) data["base"]["sha"] = request.base_sha;
  if (!request.merge_sha.empty()) data["merge_sha"] = request.merge_sha;
  if (request.created) data["created"] = to_rfc3339(*request.created);
  if (request.updated) data["updated"] = to_rfc3339(*request.updated);
  return Payload(data);
}

}  // namespace hark
