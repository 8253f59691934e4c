#include "sources/forge_api.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "tests/sources/forge_payloads.h"

using namespace hark;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// "BASE REPOSITORY", or the error.
std::string place(Forge forge, const std::string& url, const std::string& api = "") {
  const auto found = forge_api(forge, url, api);
  return found ? found->base + " " + found->repository : found.error().message;
}

ForgeApi api_of(Forge forge, const std::string& url) {
  const auto found = forge_api(forge, url, "");
  REQUIRE(found.ok());
  return *found;
}

std::string header(const ForgeApi& api, const std::string& token, const std::string& name) {
  for (const auto& [key, value] : forge_headers(api, token)) {
    if (key == name) return value;
  }
  return "";
}

using Given = std::vector<std::pair<std::string, std::string>>;

HttpHeaders answered(const Given& given) {
  HttpHeaders headers;
  for (const auto& [name, value] : given) headers.add(name, value);
  return headers;
}

constexpr WallTime kNow{std::chrono::seconds(1'770'000'000)};

std::optional<Duration> wait(int status, const Given& given) { return asked_to_wait(status, answered(given), kNow); }

const ForgeApi kGitHub{Forge::github, "https://api.github.com", "harbour/gulls"};
const ForgeApi kCloud{Forge::bitbucket, "https://api.bitbucket.org/2.0", "harbour/gulls"};

json list_of(const json& item, std::size_t count) {
  json list = json::array();
  for (std::size_t i = 0; i < count; ++i) list.push_back(item);
  return list;
}

}  // namespace

TEST_CASE("forge api: a repository's address leads to its forge's API") {
  for (const char* url : {"https://github.com/owner/name", "https://github.com/owner/name.git", "https://github.com/owner/name/",
                          "https://GitHub.com/owner/name", "https://www.github.com/owner/name"}) {
    CHECK(place(Forge::github, url) == "https://api.github.com owner/name");
  }
  CHECK(place(Forge::github, "https://git.example.org/owner/na.me") == "https://git.example.org/api/v3 owner/na.me");
  CHECK(place(Forge::github, "https://harbour.ghe.com/owner/name") == "https://api.harbour.ghe.com owner/name");
  CHECK(place(Forge::gitlab, "https://gitlab.com/group/sub/name.git") == "https://gitlab.com/api/v4 group/sub/name");
  CHECK(place(Forge::gitlab, "http://127.0.0.1:8080/group/name") == "http://127.0.0.1:8080/api/v4 group/name");
  CHECK(place(Forge::gitea, "https://codeberg.org/owner/name") == "https://codeberg.org/api/v1 owner/name");
  CHECK(place(Forge::bitbucket, "https://bitbucket.org/owner/name") == "https://api.bitbucket.org/2.0 owner/name");
  CHECK(place(Forge::github, "https://github.com/owner/name", "http://127.0.0.1:1234/") == "http://127.0.0.1:1234 owner/name");
  CHECK(place(Forge::gitea, "https://example.org/git/owner/name", "https://example.org/git/api/v1") ==
        "https://example.org/git/api/v1 owner/name");
  CHECK(place(Forge::gitlab, "https://example.org/git/group/sub/name", "https://example.org/git/api/v4/") ==
        "https://example.org/git/api/v4 group/sub/name");
}

TEST_CASE("forge api: what is no repository's address is told with what is wrong") {
  CHECK(place(Forge::bitbucket, "https://git.example.org/projects/x") ==
        "'git.example.org' is not bitbucket.org, and Bitbucket Data Center is not polled");
  CHECK(place(Forge::github, "owner/name") == "the URL begins with neither http:// nor https://");
  CHECK(place(Forge::github, "https://me:secret@github.com/owner/name") == "the URL holds a user name or password");
  for (const char* url : {"https://github.com", "https://github.com/", "https://github.com/owner", "https://github.com/owner/",
                          "https://github.com/owner/.git", "https://github.com//name", "https://github.com/owner/name/pulls",
                          "https://github.com/../name", "https://github.com/owner/..", "https://github.com/owner/a%2fb"}) {
    CAPTURE(url);
    CHECK(place(Forge::github, url) == "the address '" + std::string(url) + "' names no repository");
  }
  CHECK(place(Forge::gitlab, "https://gitlab.com/group/name/-/merge_requests").find("names no repository") != std::string::npos);
  CHECK(place(Forge::github, "https://github.com/owner/name?tab=x") == "the address holds more than a repository");
  CHECK(place(Forge::github, "https://github.com/owner/name#readme") == "the address holds more than a repository");
  CHECK(place(Forge::github, "https://github.com/owner/name", "api.github.com") ==
        "the URL begins with neither http:// nor https://");
  CHECK(place(Forge::github, "https://github.com/owner/name", "https://x/?a") == "the address holds a query");
  CHECK(place(Forge::github, "https://github.com/" + std::string(5000, 'a')) == "the address is too long");
}

TEST_CASE("forge api: lists are asked for newest first, in the largest pages, with everything encoded") {
  CHECK(list_url(kGitHub, true, 1) ==
        "https://api.github.com/repos/harbour/gulls/pulls?state=open&sort=updated&direction=desc&per_page=100&page=1");
  CHECK(list_url(kGitHub, false, 3) ==
        "https://api.github.com/repos/harbour/gulls/pulls?state=all&sort=updated&direction=desc&per_page=100&page=3");
  const ForgeApi gitlab{Forge::gitlab, "https://gitlab.com/api/v4", "port/harbour/gulls"};
  CHECK(list_url(gitlab, true, 1) ==
        "https://gitlab.com/api/v4/projects/port%2Fharbour%2Fgulls/"
        "merge_requests?state=opened&order_by=updated_at&sort=desc&per_page=100&page=1");
  CHECK(list_url(gitlab, false, 1).find("?state=all&") != std::string::npos);
  const ForgeApi gitea{Forge::gitea, "https://codeberg.org/api/v1", "har bour/gu?lls"};
  CHECK(list_url(gitea, true, 2) ==
        "https://codeberg.org/api/v1/repos/har%20bour/gu%3Flls/pulls?state=open&sort=recentupdate&limit=50&page=2");
  CHECK(list_url(kCloud, true, 1) ==
        "https://api.bitbucket.org/2.0/repositories/harbour/gulls/pullrequests?state=OPEN&sort=-updated_on&pagelen=50&page=1");
  CHECK(list_url(kCloud, false, 0) ==
        "https://api.bitbucket.org/2.0/repositories/harbour/gulls/"
        "pullrequests?state=OPEN&state=MERGED&state=DECLINED&state=SUPERSEDED&sort=-updated_on&pagelen=50&page=1");
}

TEST_CASE("forge api: each forge is told who asks in its own way, and nobody without a token") {
  CHECK(header(kGitHub, "t", "Authorization") == "Bearer t");
  CHECK(header(kGitHub, "t", "Accept") == "application/vnd.github+json");
  CHECK(header(kGitHub, "t", "X-GitHub-Api-Version") == "2022-11-28");
  CHECK(header(kGitHub, "", "Authorization") == "");
  CHECK(header(kGitHub, "", "User-Agent").starts_with("hark/"));
  const auto gitlab = api_of(Forge::gitlab, "https://gitlab.com/a/b");
  CHECK(header(gitlab, "t", "PRIVATE-TOKEN") == "t");
  CHECK(header(gitlab, "t", "Authorization") == "");
  CHECK(header(gitlab, "t", "X-GitHub-Api-Version") == "");
  CHECK(header(api_of(Forge::gitea, "https://codeberg.org/a/b"), "t", "Authorization") == "token t");
  CHECK(header(kCloud, "t", "Authorization") == "Bearer t");
  CHECK(header(kCloud, "me@example.org:t", "Authorization") == "Basic bWVAZXhhbXBsZS5vcmc6dA==");
}

TEST_CASE("forge api: a page holds what can be read, and says whether there is another") {
  const auto page = [](const ForgeApi& api, const json& body, const Given& given = {}) {
    auto read = read_page(api, body.dump(), answered(given));
    REQUIRE(read.ok());
    return *read;
  };
  CHECK(page(kGitHub, json::array()).requests.empty());
  CHECK_FALSE(page(kGitHub, json::array()).more);
  CHECK_FALSE(page(kGitHub, list_of(payloads::github_item(), 99)).more);
  CHECK(page(kGitHub, list_of(payloads::github_item(), 100)).more);
  CHECK(page(kGitHub, list_of(payloads::github_item(), 200)).requests.size() == limits::kForgePage);
  const Given next = {{"Link", "<https://h/?page=1>; rel=\"prev\", <https://h/?page=3>; rel=\"next\""}};
  CHECK(page(kGitHub, list_of(payloads::github_item(), 3), next).more);  // of a Gitea whose pages are shorter
  CHECK_FALSE(page(kGitHub, list_of(payloads::github_item(), 100), {{"Link", "<https://h/?page=1>; rel=\"first\""}}).more);
  CHECK(page({Forge::gitlab, "https://h/api/v4", "a/b"}, list_of(payloads::gitlab_item(), 2)).requests[1].number == 7);
  CHECK(page({Forge::gitea, "https://h/api/v1", "a/b"}, list_of(payloads::gitea_item(), 50)).more);
  const json cloud = {{"values", list_of(payloads::cloud_item(), 50)}, {"page", 1}};
  CHECK(page(kCloud, cloud).requests.size() == 50);
  CHECK_FALSE(page(kCloud, cloud).more);
  CHECK(page(kCloud, {{"values", list_of(payloads::cloud_item(), 1)}, {"next", "https://elsewhere.example.org/"}}).more);

  auto mixed = list_of(payloads::github_item(), 3);
  mixed[1] = "text";
  CHECK(page(kGitHub, mixed).requests.size() == 2);
  CHECK(page(kGitHub, mixed).unreadable == std::vector<std::string>{"the pull request has no `number`"});
}

TEST_CASE("forge api: an answer that is no list is an error with what the forge says of it") {
  const auto said = [](const ForgeApi& api, const std::string& body) {
    const auto read = read_page(api, body);
    return read ? std::string() : read.error().message;
  };
  CHECK(said(kGitHub, R"({"message": "Not Found", "status": "404"})") ==
        "the forge's answer is no list of pull requests: Not Found");
  CHECK(said(kCloud, R"({"type": "error", "error": {"message": "No\u001b such repository"}})") ==
        "the forge's answer is no list of pull requests: No\\x1b such repository");
  CHECK(said(kCloud, "[]") == "the forge's answer is no list of pull requests");
  CHECK(said(kGitHub, "null") == "the forge's answer is no list of pull requests");
  CHECK(said(kGitHub, "<html>").starts_with("the forge's answer is no JSON"));
  CHECK(said(kGitHub, std::string(100000, '[')) == "the forge's answer is JSON nested deeper than 128");
  CHECK(said(kGitHub, std::string(limits::kForgePageBytes + 1, ' ')) == "the forge's answer is larger than 16777216 bytes");
}

TEST_CASE("forge api: a forge that refuses is left alone as long as it says, at most an hour") {
  CHECK(wait(429, {{"Retry-After", "60"}}) == 60s);
  CHECK(wait(403, {{"Retry-After", "Mon, 02 Feb 2026 02:41:00 GMT"}}) == 60s);
  CHECK(wait(403, {{"Retry-After", "86400"}}) == 1h);
  CHECK(wait(403, {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1770000090"}}) == 90s);
  CHECK(wait(429, {{"RateLimit-Remaining", "0"}, {"RateLimit-Reset", "1770000090"}}) == 90s);
  CHECK(wait(429, {{"Retry-After", "5"}, {"RateLimit-Remaining", "0"}, {"RateLimit-Reset", "1770000090"}}) == 5s);
  CHECK(wait(429, {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1"}}) == 0s);
  CHECK(wait(429, {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "9223372036854775807"}}) == 1h);
  CHECK(wait(403, {{"X-RateLimit-Remaining", "10"}, {"X-RateLimit-Reset", "1770000090"}}) == std::nullopt);
  for (const char* bad : {"", "-1", "soon", "99999999999999999999", "1770000090.5"}) {
    CHECK(wait(429, {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", bad}}) == std::nullopt);
    CHECK(wait(429, {{"X-RateLimit-Remaining", bad}, {"X-RateLimit-Reset", "1770000090"}}) == std::nullopt);
  }
  CHECK(wait(429, {}) == std::nullopt);
  CHECK(wait(200, {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1770000090"}}) == std::nullopt);
}
