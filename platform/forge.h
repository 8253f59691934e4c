// Forges, as one is reached over its API: where that lies, what goes with every request, how long it wants to be left alone. For who
// polls them and for who writes to them; pure.
//
// The rules are from: docs.github.com, "Best practices for using the REST API" and "Rate limits for the REST API"; docs.gitlab.com, "REST
// API" and "Rate limits"; docs.gitea.com, "API Usage"; developer.atlassian.com, "The Bitbucket Cloud REST API".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "platform/http.h"

namespace hark {

enum class Forge { github, gitlab, gitea, bitbucket };  // gitea: Forgejo too
std::string_view to_string(Forge forge);                // as the webhooks' providers are called
std::optional<Forge> forge_named(std::string_view name);

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

// Where everybody's own lies: "https://api.github.com". Empty: Gitea's is on many hosts.
std::string_view known_api(Forge forge);

// "owner/name" and nothing that a path could be led out by; GitLab: with all its groups.
bool is_repository(Forge forge, std::string_view path);

std::string repository_url(const ForgeApi& api);  // "https://api.github.com/repos/owner/name"

// `token` may be empty. Bitbucket's are of two kinds: an access token, and an API token that belongs to an address
// ("me@example.org:TOKEN").
std::vector<std::pair<std::string, std::string>> forge_headers(const ForgeApi& api, const std::string& token);

// How long a forge that refuses (a status from 400 on) wants to be left alone: Retry-After, or the end of a quota that is used up
// (X-RateLimit-Reset, RateLimit-Reset). At most limits::kForgeWait; nullopt: it does not say.
std::optional<Duration> asked_to_wait(int status, const HttpHeaders& headers, WallTime now);

}  // namespace hark
