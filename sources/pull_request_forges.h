// How each forge writes a pull request, and what its webhooks tell of one. For sources/pull_request.cpp only, which says what the
// results are; pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "sources/json_look.h"
#include "sources/pull_request.h"

namespace hark {

using NoticeResult = Result<std::optional<PullRequestNotice>>;

NoticeResult github_notice(std::string_view event, const JsonLook& body);
Result<PullRequest> github_request(const JsonLook& item, const std::string& repository);

NoticeResult gitea_notice(std::string_view event, const JsonLook& body);
Result<PullRequest> gitea_request(const JsonLook& item, const std::string& repository);

NoticeResult gitlab_notice(std::string_view event, const JsonLook& body);
Result<PullRequest> gitlab_request(const JsonLook& item, const std::string& repository);

NoticeResult bitbucket_notice(std::string_view event, const JsonLook& body);  // Cloud's and Data Center's
Result<PullRequest> bitbucket_cloud_request(const JsonLook& item, const std::string& repository);

}  // namespace hark
