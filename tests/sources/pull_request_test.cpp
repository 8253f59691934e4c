#include "sources/pull_request.h"

#include <doctest/doctest.h>

#include <random>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/printable.h"
#include "sources/forge_api.h"
#include "sources/pull_request_state.h"
#include "tests/sources/forge_payloads.h"

using namespace hark;
using nlohmann::json;

namespace {

PullRequestNotice told(Forge forge, const std::string& event, const json& body) {
  const auto read = read_pull_request_notice(forge, event, body);
  REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : read.error().message));
  REQUIRE(read->has_value());
  return **read;
}

// The action; "" for what is not told, and the text of an error.
std::string action_of(Forge forge, const std::string& event, const json& body) {
  const auto read = read_pull_request_notice(forge, event, body);
  if (!read) return read.error().message;
  return *read ? (*read)->action : std::string();
}

std::string item_error(Forge forge, const json& item, const std::string& repository = "a/b") {
  const auto read = read_pull_request(forge, item, repository);
  return read ? std::string() : read.error().message;
}

json with(json value, const std::string& pointer, json other) {
  value[json::json_pointer(pointer)] = std::move(other);
  return value;
}

// All the places below `value`, as pointers.
std::vector<json::json_pointer> places(const json& value) {
  std::vector<json::json_pointer> found;
  const auto flat = value.flatten();
  for (const auto& [pointer, leaf] : flat.items()) {
    for (json::json_pointer at(pointer); !at.empty(); at = at.parent_pointer()) found.push_back(at);
  }
  return found;
}

}  // namespace

TEST_CASE("pull request: GitHub's webhook, and the data of the event that it becomes") {
  const auto notice = told(Forge::github, "pull_request", payloads::github_webhook());
  CHECK(pull_request_data(Forge::github, notice).json() == json::parse(R"({
    "provider": "github", "action": "synchronize", "repository": "harbour/gulls", "number": 7, "title": "Count the gulls",
    "body": "First line\nsecond line", "url": "https://github.com/harbour/gulls/pull/7", "author": "nele", "sender": "piet",
    "state": "open", "draft": false, "merged": false, "labels": ["bird", "sea"],
    "head": {"ref": "count", "sha": "1111111111111111111111111111111111111111", "repository": "nele/gulls"},
    "base": {"ref": "main", "sha": "2222222222222222222222222222222222222222"},
    "created": "2026-01-02T03:04:05.000Z", "updated": "2026-02-03T04:05:06.000Z"})"));
}

TEST_CASE("pull request: GitLab's webhook") {
  const auto notice = told(Forge::gitlab, "Merge Request Hook", payloads::gitlab_webhook());
  CHECK(pull_request_data(Forge::gitlab, notice).json() == json::parse(R"json({
    "provider": "gitlab", "action": "opened", "repository": "port/harbour/gulls", "number": 7, "title": "Draft: Count the gulls",
    "body": "See ![map](https://git.example.org/port/harbour/gulls/uploads/0a1b2c/map.png)",
    "url": "https://git.example.org/port/harbour/gulls/-/merge_requests/7", "author": "nele", "sender": "nele",
    "state": "open", "draft": true, "merged": false, "labels": ["bird", "sea"],
    "head": {"ref": "count", "sha": "1111111111111111111111111111111111111111", "repository": "port/harbour/gulls"}, "base": {"ref": "main"},
    "created": "2026-01-02T03:04:05.000Z", "updated": "2026-02-03T04:05:06.000Z"})json"));
}

TEST_CASE("pull request: Gitea's webhook") {
  const auto notice = told(Forge::gitea, "pull_request", payloads::gitea_webhook());
  CHECK(pull_request_data(Forge::gitea, notice).json() == json::parse(R"({
    "provider": "gitea", "action": "opened", "repository": "harbour/gulls", "number": 7, "title": "Count the gulls", "body": "",
    "url": "https://git.example.org/harbour/gulls/pulls/7", "author": "nele", "sender": "piet", "state": "open", "draft": false,
    "merged": false, "labels": [], "head": {"ref": "count", "sha": "1111111111111111111111111111111111111111", "repository": "nele/gulls"},
    "base": {"ref": "main", "sha": "2222222222222222222222222222222222222222"},
    "created": "2026-01-02T03:04:05.000Z", "updated": "2026-02-03T04:05:06.000Z"})"));
}

TEST_CASE("pull request: Bitbucket's webhooks, Cloud's and Data Center's") {
  const auto cloud = told(Forge::bitbucket, "pullrequest:created", payloads::cloud_webhook());
  CHECK(pull_request_data(Forge::bitbucket, cloud).json() == json::parse(R"({
    "provider": "bitbucket", "action": "opened", "repository": "harbour/gulls", "number": 7, "title": "Count the gulls", "body": "One\ntwo",
    "url": "https://bitbucket.org/harbour/gulls/pull-requests/7", "author": "nele", "sender": "piet", "state": "open", "draft": false,
    "merged": false, "labels": [], "head": {"ref": "count", "sha": "111111111111", "repository": "nele/gulls"},
    "base": {"ref": "main", "sha": "222222222222"}, "created": "2026-01-02T03:04:05.492Z", "updated": "2026-02-03T04:05:06.532Z"})"));
  const auto center = told(Forge::bitbucket, "pr:opened", payloads::center_webhook());
  CHECK(pull_request_data(Forge::bitbucket, center).json() == json::parse(R"({
    "provider": "bitbucket", "action": "opened", "repository": "HARBOUR/gulls", "number": 7, "title": "Count the gulls", "body": "One",
    "url": "https://git.example.org/projects/HARBOUR/repos/gulls/pull-requests/7", "author": "nele", "sender": "piet", "state": "open",
    "draft": false, "merged": false, "labels": [],
    "head": {"ref": "count", "sha": "1111111111111111111111111111111111111111", "repository": "~nele/gulls"},
    "base": {"ref": "main", "sha": "2222222222222222222222222222222222222222"},
    "created": "2026-01-02T03:04:05.000Z", "updated": "2026-02-03T04:05:06.789Z"})"));
}

TEST_CASE("pull request: the API's items say the same, and what only they say") {
  for (const auto& pair : payloads::all()) {
    if (pair.item.is_null()) continue;
    CAPTURE(pair.event);
    const auto notice = told(pair.forge, pair.event, pair.webhook);
    const auto item = read_pull_request(pair.forge, pair.item, "elsewhere/other");
    REQUIRE(item.ok());
    CHECK(item->repository == notice.request.repository);
    CHECK(item->number == notice.request.number);
    CHECK(item->title == notice.request.title);
    CHECK(item->url == notice.request.url);
    CHECK(item->author == "nele");
    CHECK(item->draft == notice.request.draft);
    CHECK(item->labels == notice.request.labels);
    CHECK(item->head_repository == notice.request.head_repository);
    CHECK(item->head_ref == "count");
    CHECK(item->base_ref == "main");
  }
  auto item = payloads::gitlab_item();
  item.erase("references");
  CHECK(read_pull_request(Forge::gitlab, item, "as/configured")->repository == "as/configured");
  CHECK(item_error(Forge::gitlab, item, "") == "the pull request has no `references.full`");
}

TEST_CASE("pull request: GitHub's actions") {
  const auto acted = [](const char* action) {
    return action_of(Forge::github, "pull_request", with(payloads::github_webhook(), "/action", action));
  };
  for (const auto& action : kPullRequestActions) CHECK(acted(std::string(action).c_str()) == (action == "merged" ? "" : action));
  for (const char* other : {"assigned", "unassigned", "review_requested", "review_request_removed", "locked", "unlocked",
                            "milestoned", "enqueued", "auto_merge_enabled"}) {
    CHECK(acted(other) == "");
  }
  auto merged = with(with(payloads::github_webhook(), "/action", "closed"), "/pull_request/state", "closed");
  CHECK(action_of(Forge::github, "pull_request", merged) == "closed");
  CHECK(told(Forge::github, "pull_request", merged).request.merge_sha == "");
  merged["pull_request"]["merged"] = true;
  CHECK(action_of(Forge::github, "pull_request", merged) == "merged");
  CHECK(told(Forge::github, "pull_request", merged).request.merge_sha == "3333333333333333333333333333333333333333");
  for (const char* event :
       {"push", "issues", "pull_request_review", "pull_request_review_comment", "pull_request_review_thread", "ping", ""}) {
    CHECK(action_of(Forge::github, event, payloads::github_webhook()) == "");
  }
}

TEST_CASE("pull request: GitLab's actions, and of an update the most telling") {
  const auto acted = [](const char* action, json changes = json::object(), json oldrev = json()) {
    auto body = with(with(payloads::gitlab_webhook(), "/object_attributes/action", action), "/changes", std::move(changes));
    if (!oldrev.is_null()) body["object_attributes"]["oldrev"] = std::move(oldrev);
    return action_of(Forge::gitlab, "Merge Request Hook", body);
  };
  CHECK(acted("open") == "opened");
  CHECK(acted("reopen") == "reopened");
  CHECK(acted("close") == "closed");
  CHECK(acted("merge") == "merged");
  for (const char* other : {"approved", "unapproved", "approval", "unapproval", "unknown"}) CHECK(acted(other) == "");
  const json labels = json::parse(R"({"previous": [{"title": "a"}], "current": [{"title": "a"}, {"title": "b"}]})");
  const json fewer = json::parse(R"({"previous": [{"title": "a"}, {"title": "b"}], "current": [{"title": "a"}]})");
  const json same = json::parse(R"({"previous": [{"title": "a"}], "current": [{"title": "a"}]})");
  const json title = {{"previous", "x"}, {"current", "y"}};
  const json ready = {{"previous", true}, {"current", false}};
  CHECK(acted("update", {{"labels", labels}}) == "labeled");
  CHECK(acted("update", {{"labels", fewer}}) == "unlabeled");
  CHECK(acted("update", {{"labels", same}}) == "");
  CHECK(acted("update", {{"labels", labels}, {"title", title}}) == "edited");
  CHECK(acted("update", {{"description", title}}) == "edited");
  CHECK(acted("update", {{"target_branch", title}}) == "edited");
  CHECK(acted("update", {{"title", title}, {"draft", ready}}) == "ready_for_review");
  CHECK(acted("update", {{"title", {{"previous", "[Draft] x"}, {"current", "x"}}}}) == "ready_for_review");
  CHECK(acted("update", {{"title", {{"previous", "x"}, {"current", "wip: x"}}}}) == "converted_to_draft");
  CHECK(acted("update", {{"title", title}, {"draft", ready}}, "2222222222222222222222222222222222222222") == "synchronize");
  CHECK(acted("update", {{"assignees", labels}, {"updated_at", title}, {"merge_status", title}}) == "");
  auto test = payloads::gitlab_webhook();
  test["object_attributes"].erase("action");
  CHECK(action_of(Forge::gitlab, "Merge Request Hook", test) == "");
  CHECK(action_of(Forge::gitlab, "System Hook", payloads::gitlab_webhook()) == "opened");
  CHECK(action_of(Forge::gitlab, "System Hook", with(payloads::gitlab_webhook(), "/object_kind", "push")) == "");
  CHECK(action_of(Forge::gitlab, "Note Hook", payloads::gitlab_webhook()) == "");
}

TEST_CASE("pull request: the author in GitLab's webhook is found where he has a name, and nobody else is taken for him") {
  auto body = with(payloads::gitlab_webhook(), "/user/id", 1);
  CHECK(told(Forge::gitlab, "Merge Request Hook", body).request.author == "");
  body["assignees"] = json::parse(R"([{"id": 2, "username": "piet"}, {"id": 9, "username": "nele"}])");
  CHECK(told(Forge::gitlab, "Merge Request Hook", body).request.author == "nele");
  body = payloads::gitlab_webhook();
  body["user"].erase("id");
  CHECK(told(Forge::gitlab, "Merge Request Hook", body).request.author == "nele");  // who opens one is its author
  body["object_attributes"]["action"] = "close";
  CHECK(told(Forge::gitlab, "Merge Request Hook", body).request.author == "");
}

TEST_CASE("pull request: Gitea's and Forgejo's actions") {
  const auto acted = [](const char* event, const char* action, json change = json::object()) {
    auto body = with(payloads::gitea_webhook(), "/action", action);
    body.merge_patch(change);
    return action_of(Forge::gitea, event, body);
  };
  CHECK(acted("pull_request", "reopened") == "reopened");
  CHECK(acted("pull_request", "synchronized") == "synchronize");
  CHECK(acted("pull_request_sync", "synchronized") == "synchronize");
  CHECK(acted("pull_request", "edited") == "edited");
  CHECK(acted("pull_request", "closed", {{"pull_request", {{"state", "closed"}}}}) == "closed");
  CHECK(acted("pull_request", "closed", {{"pull_request", {{"state", "closed"}, {"merged", true}}}}) == "merged");
  const json labels = {{"pull_request", {{"labels", json::array({{{"name", "sea"}}})}}}};
  CHECK(acted("pull_request", "label_updated", labels) == "labeled");
  CHECK(acted("pull_request_label", "label_updated", labels) == "labeled");
  CHECK(acted("pull_request_label", "label_updated") == "unlabeled");
  CHECK(acted("pull_request_label", "label_cleared") == "unlabeled");
  CHECK(acted("pull_request", "edited", {{"changes", {{"title", {{"from", "WIP: Count the gulls"}}}}}}) == "ready_for_review");
  CHECK(acted("pull_request", "edited",
              {{"changes", {{"title", {{"from", "Count"}}}}}, {"pull_request", {{"title", "[WIP] Count"}, {"draft", true}}}}) ==
        "converted_to_draft");
  for (const char* other : {"assigned", "milestoned", "review_requested", "reviewed"}) CHECK(acted("pull_request", other) == "");
  for (const char* event : {"push", "issues", "pull_request_comment", "pull_request_approved", "pull_request_rejected"})
    CHECK(acted(event, "opened") == "");
}

TEST_CASE("pull request: Bitbucket's actions") {
  const auto cloud = [](const char* event) { return action_of(Forge::bitbucket, event, payloads::cloud_webhook()); };
  CHECK(cloud("pullrequest:updated") == "edited");
  CHECK(cloud("pullrequest:fulfilled") == "merged");
  CHECK(cloud("pullrequest:rejected") == "closed");
  for (const char* other : {"pullrequest:approved", "pullrequest:comment_created", "repo:push"}) CHECK(cloud(other) == "");
  const auto center = [](const char* event, json change = json::object()) {
    auto body = payloads::center_webhook();
    body.merge_patch(change);
    return action_of(Forge::bitbucket, event, body);
  };
  CHECK(center("pr:from_ref_updated") == "synchronize");
  CHECK(center("pr:modified") == "edited");
  CHECK(center("pr:modified", {{"previousDraft", true}}) == "ready_for_review");
  CHECK(center("pr:modified", {{"previousDraft", false}, {"pullRequest", {{"draft", true}}}}) == "converted_to_draft");
  CHECK(center("pr:modified", {{"previousDraft", false}}) == "edited");
  CHECK(center("pr:merged") == "merged");
  CHECK(center("pr:declined") == "closed");
  for (const char* other : {"pr:deleted", "pr:comment:added", "pr:reviewer:approved", "repo:refs_changed"})
    CHECK(center(other) == "");
  auto merged =
      with(payloads::center_webhook(), "/pullRequest/properties/mergeCommit/id", "83f836ca538dc4f43d29fda46a5b85ea49f1b8e7");
  merged["pullRequest"]["state"] = "MERGED";
  CHECK(told(Forge::bitbucket, "pr:merged", merged).request.merge_sha == "83f836ca538dc4f43d29fda46a5b85ea49f1b8e7");
}

TEST_CASE("pull request: the states of lists") {
  const auto state_in = [](Forge forge, json item, json change) {
    item.merge_patch(change);
    const auto read = read_pull_request(forge, item, "");
    return read ? std::string(to_string(read->state)) : read.error().message;
  };
  CHECK(state_in(Forge::github, payloads::github_item(), {{"state", "closed"}}) == "closed");
  CHECK(state_in(Forge::github, payloads::github_item(), {{"state", "closed"}, {"merged_at", "2026-02-03T04:05:06Z"}}) ==
        "merged");
  CHECK(state_in(Forge::github, payloads::github_item(), {{"state", "ajar"}}) == "the pull request has no `state`");
  CHECK(state_in(Forge::gitlab, payloads::gitlab_item(), {{"state", "merged"}}) == "merged");
  CHECK(state_in(Forge::gitlab, payloads::gitlab_item(), {{"state", "locked"}}) == "open");
  CHECK(state_in(Forge::gitlab, payloads::gitlab_item(), {{"state", "closed"}}) == "closed");
  CHECK(state_in(Forge::bitbucket, payloads::cloud_item(), {{"state", "SUPERSEDED"}}) == "closed");
  CHECK(state_in(Forge::bitbucket, payloads::cloud_item(), {{"state", "DECLINED"}}) == "closed");
  CHECK(state_in(Forge::bitbucket, payloads::cloud_item(), {{"state", "MERGED"}}) == "merged");
}

TEST_CASE("pull request: of what cannot be missing the first is named; the rest may be null, or of a fork that is gone") {
  const auto lacks = [](const char* pointer, json value) {
    return item_error(Forge::github, with(payloads::github_item(), pointer, std::move(value)));
  };
  for (const char* pointer : {"/number", "/title", "/state", "/head", "/base"})
    CHECK(lacks(pointer, json()).starts_with("the pull request has no `" + std::string(pointer + 1)));
  CHECK(lacks("/number", -7) == "the pull request has no `number`");
  CHECK(lacks("/number", 0) == "the pull request has no `number`");
  CHECK(lacks("/number", 7.5) == "the pull request has no `number`");
  CHECK(lacks("/number", "7") == "the pull request has no `number`");
  CHECK(lacks("/head/ref", std::string(5000, 'x')) == "the pull request has no `head.ref`");
  for (const char* pointer : {"/body", "/user", "/head/repo", "/head/sha", "/base/sha", "/labels", "/draft", "/html_url",
                              "/created_at", "/updated_at"}) {
    CHECK(lacks(pointer, json()) == "");
    CHECK(lacks(pointer, 7) == "");
  }
  CHECK(action_of(Forge::github, "pull_request", json::object()) == "the pull request has no `action`");
  CHECK(action_of(Forge::github, "pull_request", {{"action", "opened"}}) == "the pull request has no `base.repo.full_name`");
  CHECK(action_of(Forge::gitlab, "Merge Request Hook", json::array()) == "the pull request has no `object_attributes`");
  CHECK(action_of(Forge::gitea, "pull_request", json()) == "the pull request has no `action`");
  CHECK(action_of(Forge::bitbucket, "pullrequest:created", json::object()) ==
        "the pull request has no `destination.repository.full_name`");
  CHECK(action_of(Forge::bitbucket, "pr:opened", "text") == "the pull request has no `toRef.repository`");
}

TEST_CASE("pull request: texts and lists are bounded, and cut between characters") {
  std::string wide;
  while (wide.size() < 2 * limits::kPullRequestBody) wide += "€";
  auto item = with(with(payloads::github_item(), "/title", wide), "/body", wide);
  item["labels"] = json::array();
  for (int i = 0; i < 1000; ++i) item["labels"].push_back({{"name", "label " + std::to_string(10000 - i)}});
  const auto read = read_pull_request(Forge::github, item, "");
  REQUIRE(read.ok());
  CHECK(read->title.size() == limits::kPullRequestTitle / 3 * 3);
  CHECK(read->body.size() == limits::kPullRequestBody / 3 * 3);
  CHECK(is_utf8(read->body));
  CHECK(read->labels.size() == limits::kPullRequestLabels);
  CHECK(read->labels.front() == "label 10000");
}

TEST_CASE("pull request: every form of a time is read") {
  const auto updated = [](json value) {
    const auto read = read_pull_request(Forge::github, with(payloads::github_item(), "/updated_at", std::move(value)), "");
    return read->updated ? to_rfc3339(*read->updated) : std::string();
  };
  for (const char* form :
       {"2026-02-03T04:05:06Z", "2026-02-03 04:05:06 UTC", "2026-02-03T04:05:06+0000", "2026-02-03T05:05:06+01:00",
        "2026-02-03 05:05:06 +0100", "2026-02-03T00:05:06-0400", "2026-02-03T04:05:06.000Z"}) {
    CAPTURE(form);
    CHECK(updated(form) == "2026-02-03T04:05:06.000Z");
  }
  CHECK(updated(1770091506000) == "2026-02-03T04:05:06.000Z");
  for (const json& bad : {json("yesterday"), json(""), json("2026-02-30T00:00:00Z"), json(-1), json(0),
                          json(18446744073709551615u), json(1.5), json::array()}) {
    CHECK(updated(bad) == "");
  }
}

TEST_CASE("pull request: nothing that is made of a sample by chance is too much") {
  std::mt19937 random(11);
  const std::vector<json> odd = {json(),
                                 json(true),
                                 json(-1),
                                 json(18446744073709551615u),
                                 json(1e300),
                                 json(""),
                                 json(std::string(70000, '\xc3')),
                                 json("\r\n\r\r"),
                                 json::array(),
                                 json::object(),
                                 json::array({json(), json::array({1})}),
                                 json::parse(R"({"a": {"b": []}, "name": 3, "sha": {}})")};
  int read = 0;
  for (const auto& pair : payloads::all()) {
    for (const json& sample : {pair.webhook, json{{"x", pair.item}}}) {
      const auto all = places(sample);
      if (all.empty()) continue;
      for (int round = 0; round < 1500; ++round) {
        auto changed = sample;
        for (auto many = random() % 4 + 1; many > 0; --many) {
          const auto& place = all[random() % all.size()];
          if (changed.contains(place))
            changed[place] = random() % 3 == 0 ? sample[all[random() % all.size()]] : odd[random() % odd.size()];
        }
        const auto item = changed.is_object() ? changed.value("x", json()) : json();
        const auto one = read_pull_request(pair.forge, item, "a/b");
        const auto notice = read_pull_request_notice(pair.forge, pair.event, changed);
        if (one) CHECK(actions_between(state_of(*one), *one).empty());
        if (!notice || !*notice) continue;
        ++read;
        const auto& request = (*notice)->request;
        CHECK(request.body.size() <= limits::kPullRequestBody);
        CHECK(request.number > 0);
        CHECK(state_from_mark(to_mark(state_of(request))) == state_of(request));
        CHECK(pull_request_data(pair.forge, **notice).json().is_object());
        for (const auto& other : {"", "push", "pull_request", "Merge Request Hook", "pr:modified", "pullrequest:updated"})
          (void)read_pull_request_notice(pair.forge, other, changed);
      }
    }
  }
  CHECK(read > 100);
}
