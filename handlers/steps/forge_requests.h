// What a forge's API is sent for each thing that a forge step does, and what its answers say. Pure.
//
// The rules are from: docs.github.com, "REST API endpoints for issue comments", "... for pull requests" and "... for commit statuses";
// docs.gitlab.com, "Notes API", "Merge requests API" and "Commits API" (set the pipeline status of a commit); Gitea's swagger (issueCreateComment,
// issueEditComment, repoCreatePullRequest, repoListPullRequests, repoCreateStatus); developer.atlassian.com, "The Bitbucket Cloud REST API"
// (pullrequests, commit statuses).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/result.h"
#include "platform/forge.h"
#include "platform/http.h"

namespace hark {

// What is wanted, with its values put in and looked at: a number is digits, a commit hexadecimal.
struct ForgeWish {
  ForgeApi api;
  std::string number, body, marker;             // comment; the marker is at the end of the body
  std::string title, head, base;                // pull request, with `body`
  bool draft = false;
  std::string commit, state, context, description, url;
};

struct ForgeRequest {
  std::string method;
  std::string url;
  nlohmann::json body;  // null: none
};

// A line that people do not see where the forge shows the comment, and that only who has the token can have thought of (`key` says of what).
std::string comment_marker(Forge forge, std::string_view token, std::string_view key);

ForgeRequest list_comments(const ForgeWish& wish, int page);
ForgeRequest create_comment(const ForgeWish& wish);
ForgeRequest edit_comment(const ForgeWish& wish, const std::string& id);
ForgeRequest list_pull_requests(const ForgeWish& wish, int page);  // open ones, of this head and base as far as the forge can be asked for those
ForgeRequest create_pull_request(const ForgeWish& wish);
ForgeRequest create_status(const ForgeWish& wish);

// The list of an answer, and whether there may be a further page.
struct ForgeList {
  nlohmann::json items;
  bool more = false;
};
Result<ForgeList> read_list(const ForgeApi& api, std::string_view body, const HttpHeaders& headers);

std::string comment_text(Forge forge, const nlohmann::json& comment);
bool is_wanted(const ForgeWish& wish, const nlohmann::json& pull_request);

// {"id", "url"}, of a pull request {"id", "number", "url"}; what the forge does not say is null.
nlohmann::json told_of(Forge forge, const nlohmann::json& answer);
nlohmann::json told_of_pull_request(Forge forge, const nlohmann::json& answer);

// What an answer says went wrong, in one line; empty: nothing that can be read.
std::string forge_message(std::string_view body);
// GitLab refuses a status that is there already (gitlab-org/gitlab-foss#25807).
bool is_there_already(const ForgeWish& wish, int status, std::string_view body);

}  // namespace hark
