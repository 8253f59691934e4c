#include "platform/forge.h"

#include <algorithm>
#include <charconv>

#include "core/base64.h"
#include "core/limits.h"
#include "core/percent.h"
#include "core/printable.h"
#include "core/version.h"
#include "platform/http_url.h"

namespace hark {
namespace {

const std::string kAddressCure = "write it as https://host/owner/name";
const std::string kApiCure = "write it as https://host/api/v4";

std::string without_end(std::string text, std::string_view end) {
  if (text.ends_with(end)) text.resize(text.size() - end.size());
  return text;
}

std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

// Where the API of this host is by default.
Result<std::string> default_base(Forge forge, const HttpUrl& url) {
  const auto host = lower_case(url.host);
  const auto origin = (url.tls ? "https://" : "http://") + lower_case(url.authority());
  switch (forge) {
    case Forge::github:
      if (host == "github.com" || host == "www.github.com") return std::string("https://api.github.com");
      if (host.ends_with(".ghe.com")) return "https://api." + host;  // "GitHub Enterprise Cloud with data residency"
      return origin + "/api/v3";
    case Forge::gitlab:
      return origin + "/api/v4";
    case Forge::gitea:
      return origin + "/api/v1";
    case Forge::bitbucket:
      if (host == "bitbucket.org" || host == "www.bitbucket.org") return std::string("https://api.bitbucket.org/2.0");
      return Error{
          "'" + printable(url.host, limits::kShownValue) + "' is not bitbucket.org, and Bitbucket Data Center is not polled",
          "take its webhook"};
  }
  return Error{"no forge", {}};
}

// Hosts that everybody knows, and whose they are.
std::optional<Forge> forge_of(const std::string& host) {
  if (host == "github.com") return Forge::github;
  if (host == "gitlab.com") return Forge::gitlab;
  if (host == "codeberg.org") return Forge::gitea;
  if (host == "bitbucket.org") return Forge::bitbucket;
  return std::nullopt;
}

// "/group/name", of a server that lies below "/git" without that.
std::string below_root(std::string path, const HttpUrl& url, const HttpUrl& api) {
  const auto root = api.target.substr(0, std::min(api.target.rfind("/api/v"), api.target.size()));
  const bool same_server = equal_ignoring_case(url.host, api.host) && path.starts_with(root + "/");
  return same_server ? path.substr(root.size()) : path;
}

std::optional<std::int64_t> whole_number(std::optional<std::string_view> text) {
  std::int64_t value = 0;
  if (!text || text->empty()) return std::nullopt;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (failure != std::errc{} || end != text->data() + text->size() || value < 0) return std::nullopt;
  return value;
}

// The end of a quota that is used up, in seconds since 1970.
std::optional<Duration> until_reset(const HttpHeaders& headers, WallTime now) {
  for (const std::string prefix : {"X-RateLimit-", "RateLimit-"}) {
    const auto reset = whole_number(headers.get(prefix + "Reset"));
    if (!reset || whole_number(headers.get(prefix + "Remaining")) != 0) continue;
    const auto today = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    constexpr std::int64_t kLongest = std::chrono::seconds(limits::kForgeWait).count();
    return std::chrono::seconds(*reset <= today ? 0 : std::min(*reset - today, kLongest));
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Forge forge) {
  switch (forge) {
    case Forge::github:
      return "github";
    case Forge::gitlab:
      return "gitlab";
    case Forge::gitea:
      return "gitea";
    case Forge::bitbucket:
      return "bitbucket";
  }
  return "";
}

std::optional<Forge> forge_named(std::string_view name) {
  for (const Forge forge : {Forge::github, Forge::gitlab, Forge::gitea, Forge::bitbucket}) {
    if (to_string(forge) == name) return forge;
  }
  return std::nullopt;
}

Status check_api_address(std::string_view api) {
  if (api.size() > limits::kPullRequestUrl) return Error{"the address is too long", kApiCure};
  const auto place = parse_http_url(api);
  if (!place) return Error{place.error().message, kApiCure};
  if (api.find_first_of("?#") != api.npos) return Error{"the address holds a query", kApiCure};
  return {};
}

Result<ForgeApi> forge_api(Forge forge, std::string_view repository_url, std::string_view api) {
  if (repository_url.size() > limits::kPullRequestUrl) return Error{"the address is too long", kAddressCure};
  const auto url = parse_http_url(repository_url);
  if (!url) return Error{url.error().message, kAddressCure};
  if (url->target.find('?') != std::string::npos || repository_url.find('#') != repository_url.npos)
    return Error{"the address holds more than a repository", kAddressCure};
  auto path = without_end(without_end(url->target, "/"), ".git");

  if (const auto whose = forge_of(lower_case(url->host)); api.empty() && whose && *whose != forge) {
    return Error{"it is at " + lower_case(url->host) + ", which `provider` does not say", "write provider = \"" + std::string(to_string(*whose)) + "\""};
  }
  auto base = api.empty() ? default_base(forge, *url) : Result<std::string>(std::string(api));
  if (!base) return base.error();
  while (base->ends_with('/')) base->pop_back();
  if (const auto fine = check_api_address(*base); !fine) return fine.error();
  const auto place = parse_http_url(*base);

  path = below_root(path, *url, *place);
  if (path.starts_with('/')) path.erase(0, 1);
  if (!is_repository(forge, path))
    return Error{"the address '" + printable(repository_url, limits::kShownValue) + "' names no repository", kAddressCure};
  return ForgeApi{forge, *base, path};
}

std::string_view known_api(Forge forge) {
  switch (forge) {
    case Forge::github: return "https://api.github.com";
    case Forge::gitlab: return "https://gitlab.com/api/v4";
    case Forge::gitea: return "";
    case Forge::bitbucket: return "https://api.bitbucket.org/2.0";
  }
  return "";
}

bool is_repository(Forge forge, std::string_view path) {
  int parts = 0;
  for (std::size_t at = 0; at <= path.size(); ++parts) {
    const auto end = std::min(path.find('/', at), path.size());
    const auto part = path.substr(at, end - at);
    if (part.empty() || part == "." || part == ".." || part == "-" || part.find_first_of("%\\") != part.npos) return false;
    at = end + 1;
  }
  return forge == Forge::gitlab ? parts >= 2 : parts == 2;
}

std::string repository_url(const ForgeApi& api) {
  if (api.forge == Forge::gitlab) return api.base + "/projects/" + percent_encoded(api.repository);
  const auto slash = api.repository.find('/');
  const auto path = percent_encoded(api.repository.substr(0, slash)) + "/" + percent_encoded(api.repository.substr(slash + 1));
  return api.base + (api.forge == Forge::bitbucket ? "/repositories/" : "/repos/") + path;
}

std::vector<std::pair<std::string, std::string>> forge_headers(const ForgeApi& api, const std::string& token) {
  const bool github = api.forge == Forge::github;
  std::vector<std::pair<std::string, std::string>> headers = {
      {"Accept", github ? "application/vnd.github+json" : "application/json"}, {"User-Agent", std::string("hark/") + version()}};
  if (github) headers.emplace_back("X-GitHub-Api-Version", "2022-11-28");
  if (token.empty()) return headers;
  if (api.forge == Forge::gitlab) {
    headers.emplace_back("PRIVATE-TOKEN", token);
  } else if (api.forge == Forge::gitea) {
    headers.emplace_back("Authorization", "token " + token);
  } else if (api.forge == Forge::bitbucket && token.find(':') != token.npos) {
    headers.emplace_back("Authorization", "Basic " + to_base64(token));
  } else {
    headers.emplace_back("Authorization", "Bearer " + token);
  }
  return headers;
}

std::optional<Duration> asked_to_wait(int status, const HttpHeaders& headers, WallTime now) {
  if (status < 400) return std::nullopt;
  auto wait = retry_after(headers, now);
  if (!wait) wait = until_reset(headers, now);
  if (wait) wait = std::min<Duration>(*wait, limits::kForgeWait);
  return wait;
}

}  // namespace hark
