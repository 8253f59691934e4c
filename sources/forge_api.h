// The calls of a poll: where a forge's API lists the pull requests of a repository, how it is asked, and what its answer holds.
// For who polls; pure.
//
// Newest updated first, so that a reader can stop at what it knows. Addresses that the answers name are not followed: a page is
// asked for by its number, of the host that was configured.
//
// The rules are from: docs.github.com, "List pull requests", "Best practices for using the REST API" and "Rate limits for the
// REST API"; docs.gitlab.com, "Merge requests API", "REST API" and "Rate limits"; docs.gitea.com, "API Usage", and its swagger;
// developer.atlassian.com, "The Bitbucket Cloud REST API, Pullrequests" and "Filter and sort API objects".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "platform/http.h"
#include "sources/pull_request.h"

namespace hark {

struct ForgeApi {
  Forge forge = Forge::github;
  std::string base;        // "https://api.github.com", without a slash at its end
  std::string repository;  // "owner/name"; GitLab: with all its groups
  friend bool operator==(const ForgeApi&, const ForgeApi&) = default;
};

// From a repository's address as people write it: "https://github.com/owner/name", with or without .git or a slash behind it.
// `api`: where the API lies, for one that is not where it is by default; may be empty, else one that check_api_address() has nothing against.
Result<ForgeApi> forge_api(Forge forge, std::string_view repository_url, std::string_view api);

Status check_api_address(std::string_view api);

std::string list_url(const ForgeApi& api, bool only_open, int page);  // from 1 on

// `token` may be empty. Bitbucket's are of two kinds: an access token, and an API token that belongs to an address
// ("me@example.org:TOKEN").
std::vector<std::pair<std::string, std::string>> list_headers(const ForgeApi& api, const std::string& token);

struct ForgePage {
  std::vector<PullRequest> requests;    // in the forge's order
  std::vector<std::string> unreadable;  // why others are not there; one must not hide the rest
  bool more = false;                    // there may be a further page
};
// `headers`: the answer's. Its Link says whether there is more (RFC 8288); without one a full page does, and of Bitbucket the
// body's `next`.
Result<ForgePage> read_page(const ForgeApi& api, std::string_view body, const HttpHeaders& headers = {});

// How long a forge that refuses (a status from 400 on) wants to be left alone: Retry-After, or the end of a quota that is used up
// (X-RateLimit-Reset, RateLimit-Reset). At most limits::kForgeWait; nullopt: it does not say.
std::optional<Duration> asked_to_wait(int status, const HttpHeaders& headers, WallTime now);

}  // namespace hark
