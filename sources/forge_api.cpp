#include "sources/forge_api.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/limits.h"
#include "core/payload.h"
#include "core/printable.h"
#include "core/version.h"
#include "platform/http_url.h"
#include "sources/json_look.h"

namespace hark {
namespace {

const std::string kAddressCure = "write it as https://host/owner/name";
const std::string kApiCure = "write it as https://host/api/v4";

// Bitbucket gives 50 of pull requests at most, Gitea 50 unless its owner says otherwise.
std::size_t page_size(Forge forge) {
  return forge == Forge::github || forge == Forge::gitlab ? limits::kForgePage : limits::kForgePage / 2;
}

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

std::string encoded_path(const std::string& repository) {
  const auto slash = repository.find('/');
  return percent_encoded(repository.substr(0, slash)) + "/" + percent_encoded(repository.substr(slash + 1));
}

// What an answer that is no list says of itself.
Error no_list(const JsonLook& answer) {
  const auto message = answer["message"].string() ? answer["message"].string() : answer["error"]["message"].string();
  const auto said = message ? ": " + printable(*message, limits::kShownValue) : std::string();
  return Error{"the forge's answer is no list of pull requests" + said, {}};
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

std::string list_url(const ForgeApi& api, bool only_open, int page) {
  const auto paged = std::to_string(page_size(api.forge)) + "&page=" + std::to_string(std::max(page, 1));
  switch (api.forge) {
    case Forge::github:
      return api.base + "/repos/" + encoded_path(api.repository) + "/pulls?state=" + (only_open ? "open" : "all") +
             "&sort=updated&direction=desc&per_page=" + paged;
    case Forge::gitlab:
      return api.base + "/projects/" + percent_encoded(api.repository) +
             "/merge_requests?state=" + (only_open ? "opened" : "all") + "&order_by=updated_at&sort=desc&per_page=" + paged;
    case Forge::gitea:
      return api.base + "/repos/" + encoded_path(api.repository) + "/pulls?state=" + (only_open ? "open" : "all") +
             "&sort=recentupdate&limit=" + paged;
    case Forge::bitbucket:
      return api.base + "/repositories/" + encoded_path(api.repository) + "/pullrequests?state=OPEN" +
             (only_open ? "" : "&state=MERGED&state=DECLINED&state=SUPERSEDED") + "&sort=-updated_on&pagelen=" + paged;
  }
  return {};
}

std::vector<std::pair<std::string, std::string>> list_headers(const ForgeApi& api, const std::string& token) {
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

Result<ForgePage> read_page(const ForgeApi& api, std::string_view body, const HttpHeaders& headers) {
  if (body.size() > limits::kForgePageBytes)
    return Error{"the forge's answer is larger than " + std::to_string(limits::kForgePageBytes) + " bytes", {}};
  const auto parsed = parse_json(body, "the forge's answer");
  if (!parsed) return parsed.error();
  const JsonLook answer(*parsed);
  const bool bitbucket = api.forge == Forge::bitbucket;
  const auto items = bitbucket ? answer["values"] : answer;
  if (!items.value().is_array()) return no_list(answer);

  ForgePage page;
  for (const auto& item : items.list()) {
    if (page.requests.size() + page.unreadable.size() == limits::kForgePage) break;
    auto request = read_pull_request(api.forge, item, api.repository);
    if (request) {
      page.requests.push_back(std::move(*request));
    } else {
      page.unreadable.push_back(request.error().message);
    }
  }
  const auto link = headers.joined("Link");
  page.more = link.empty() ? items.list().size() >= page_size(api.forge) : link.find("rel=\"next\"") != link.npos;
  if (bitbucket) page.more = !answer["next"].string().value_or("").empty();
  return page;
}

std::optional<Duration> asked_to_wait(int status, const HttpHeaders& headers, WallTime now) {
  if (status < 400) return std::nullopt;
  auto wait = retry_after(headers, now);
  if (!wait) wait = until_reset(headers, now);
  if (wait) wait = std::min<Duration>(*wait, limits::kForgeWait);
  return wait;
}

}  // namespace hark
