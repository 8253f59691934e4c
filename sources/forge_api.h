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

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "platform/forge.h"
#include "platform/http.h"
#include "sources/pull_request.h"

namespace hark {

std::string list_url(const ForgeApi& api, bool only_open, int page);  // from 1 on

struct ForgePage {
  std::vector<PullRequest> requests;    // in the forge's order
  std::vector<std::string> unreadable;  // why others are not there; one must not hide the rest
  bool more = false;                    // there may be a further page
};
// `headers`: the answer's. Its Link says whether there is more (RFC 8288); without one a full page does, and of Bitbucket the
// body's `next`.
Result<ForgePage> read_page(const ForgeApi& api, std::string_view body, const HttpHeaders& headers = {});

}  // namespace hark
