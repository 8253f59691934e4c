// One pull request as each forge tells it, by webhook and by its API: the shapes of their documentation, trimmed, with names made
// up. Each pair is one state, told in the two ways in which the forge tells it.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "sources/pull_request.h"

namespace payloads {

using nlohmann::json;

inline json github_webhook() {
  return json::parse(R"json({
    "action": "synchronize", "number": 7, "before": "0000000000000000000000000000000000000001",
    "pull_request": {
      "number": 7, "state": "open", "title": "Count the gulls", "body": "First line\r\nsecond line", "draft": false, "locked": false,
      "html_url": "https://github.com/harbour/gulls/pull/7", "user": {"login": "nele", "id": 4},
      "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-02-03T04:05:06Z", "closed_at": null, "merged_at": null, "merged": false,
      "merge_commit_sha": "3333333333333333333333333333333333333333",
      "labels": [{"id": 2, "name": "sea"}, {"id": 1, "name": "bird"}],
      "head": {"label": "nele:count", "ref": "count", "sha": "1111111111111111111111111111111111111111", "repo": {"full_name": "nele/gulls"}},
      "base": {"label": "harbour:main", "ref": "main", "sha": "2222222222222222222222222222222222222222", "repo": {"full_name": "harbour/gulls"}}},
    "repository": {"full_name": "harbour/gulls"}, "sender": {"login": "piet"}})json");
}

// The list's items have no `merged`.
inline json github_item() {
  auto item = github_webhook()["pull_request"];
  item.erase("merged");
  item["body"] = "First line\nsecond line";
  item["labels"] = json::parse(R"([{"name": "bird"}, {"name": "sea"}])");
  return item;
}

inline json gitlab_webhook() {
  return json::parse(R"json({
    "object_kind": "merge_request", "event_type": "merge_request", "user": {"id": 9, "name": "Nele N", "username": "nele"},
    "project": {"id": 3, "path_with_namespace": "port/harbour/gulls", "web_url": "https://git.example.org/port/harbour/gulls"},
    "object_attributes": {
      "id": 99, "iid": 7, "author_id": 9, "title": "Draft: Count the gulls", "state": "opened", "draft": true, "work_in_progress": true,
      "description": "See ![map](https://git.example.org/port/harbour/gulls/uploads/0a1b2c/map.png)",
      "created_at": "2026-01-02 03:04:05 UTC", "updated_at": "2026-02-03 04:05:06 UTC", "source_branch": "count", "target_branch": "main",
      "source_project_id": 3, "target_project_id": 3, "merge_commit_sha": null,
      "source": {"path_with_namespace": "port/harbour/gulls"}, "target": {"path_with_namespace": "port/harbour/gulls"},
      "last_commit": {"id": "1111111111111111111111111111111111111111", "message": "Count"},
      "url": "https://git.example.org/port/harbour/gulls/-/merge_requests/7", "action": "open"},
    "labels": [{"id": 1, "title": "sea"}, {"id": 2, "title": "bird"}],
    "changes": {}, "repository": {"name": "gulls"}})json");
}

inline json gitlab_item() {
  return json::parse(R"json({
    "id": 99, "iid": 7, "project_id": 3, "title": "Draft: Count the gulls", "description": "See ![map](/uploads/0a1b2c/map.png)", "state": "opened",
    "created_at": "2026-01-02T03:04:05.123Z", "updated_at": "2026-02-03T04:05:06.789Z", "target_branch": "main", "source_branch": "count",
    "author": {"id": 9, "username": "nele"}, "source_project_id": 3, "target_project_id": 3, "labels": ["bird", "sea"], "draft": true,
    "work_in_progress": true, "sha": "1111111111111111111111111111111111111111", "merge_commit_sha": null, "squash_commit_sha": null,
    "references": {"short": "!7", "relative": "!7", "full": "port/harbour/gulls!7"},
    "web_url": "https://git.example.org/port/harbour/gulls/-/merge_requests/7"})json");
}

inline json gitea_webhook() {
  return json::parse(R"json({
    "action": "opened", "number": 7, "commit_id": "", "review": null,
    "pull_request": {
      "id": 12, "number": 7, "user": {"id": 4, "login": "nele", "username": "nele"}, "title": "Count the gulls", "body": "",
      "labels": null, "state": "open", "is_locked": false, "html_url": "https://git.example.org/harbour/gulls/pulls/7", "draft": false,
      "mergeable": true, "merged": false, "merged_at": null, "merge_commit_sha": null,
      "base": {"label": "main", "ref": "main", "sha": "2222222222222222222222222222222222222222", "repo": {"full_name": "harbour/gulls"}},
      "head": {"label": "count", "ref": "count", "sha": "1111111111111111111111111111111111111111", "repo": {"full_name": "nele/gulls"}},
      "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-02-03T05:05:06+01:00", "closed_at": null},
    "repository": {"full_name": "harbour/gulls"}, "sender": {"id": 5, "login": "piet", "username": "piet"}})json");
}

inline json gitea_item() {
  auto item = gitea_webhook()["pull_request"];
  item["labels"] = json::array();
  item["updated_at"] = "2026-02-03T04:05:06Z";
  item.erase("draft");
  return item;
}

inline json cloud_webhook() {
  return json::parse(R"json({
    "repository": {"full_name": "harbour/gulls"}, "actor": {"nickname": "piet", "display_name": "Piet P", "uuid": "{1}"},
    "pullrequest": {
      "type": "pullrequest", "id": 7, "title": "Count the gulls", "description": "One\r\ntwo", "summary": {"raw": "One\r\ntwo"}, "state": "OPEN",
      "author": {"nickname": "nele", "display_name": "Nele N", "uuid": "{2}"},
      "source": {"branch": {"name": "count"}, "commit": {"hash": "111111111111"}, "repository": {"full_name": "nele/gulls"}},
      "destination": {"branch": {"name": "main"}, "commit": {"hash": "222222222222"}, "repository": {"full_name": "harbour/gulls"}},
      "merge_commit": null, "closed_by": null, "created_on": "2026-01-02T03:04:05.492248+00:00", "updated_on": "2026-02-03T04:05:06.532546+00:00",
      "links": {"html": {"href": "https://bitbucket.org/harbour/gulls/pull-requests/7"}}}})json");
}

inline json cloud_item() {
  auto item = cloud_webhook()["pullrequest"];
  item.erase("description");
  item["summary"]["raw"] = "One\ntwo";
  item["draft"] = false;
  item["source"]["commit"]["hash"] = "1111111111111111111111111111111111111111";
  return item;
}

inline json center_webhook() {
  return json::parse(R"json({
    "eventKey": "pr:opened", "date": "2026-02-03T04:05:06+0000", "actor": {"name": "piet", "slug": "piet", "displayName": "Piet P"},
    "pullRequest": {
      "id": 7, "version": 2, "title": "Count the gulls", "description": "One", "state": "OPEN", "open": true, "closed": false, "draft": false,
      "createdDate": 1767323045000, "updatedDate": 1770091506789,
      "fromRef": {"id": "refs/heads/count", "displayId": "count", "latestCommit": "1111111111111111111111111111111111111111",
                  "repository": {"slug": "gulls", "project": {"key": "~nele"}}},
      "toRef": {"id": "refs/heads/main", "displayId": "main", "latestCommit": "2222222222222222222222222222222222222222",
                "repository": {"slug": "gulls", "project": {"key": "HARBOUR"}}},
      "author": {"user": {"name": "nele", "slug": "nele"}, "role": "AUTHOR"}, "reviewers": [], "participants": [],
      "links": {"self": [{"href": "https://git.example.org/projects/HARBOUR/repos/gulls/pull-requests/7"}]}}})json");
}

struct Pair {
  hark::Forge forge;
  std::string event;
  json webhook;
  json item;  // null: not polled
};

inline std::vector<Pair> all() {
  using hark::Forge;
  return {{Forge::github, "pull_request", github_webhook(), github_item()},
          {Forge::gitlab, "Merge Request Hook", gitlab_webhook(), gitlab_item()},
          {Forge::gitea, "pull_request", gitea_webhook(), gitea_item()},
          {Forge::bitbucket, "pullrequest:created", cloud_webhook(), cloud_item()},
          {Forge::bitbucket, "pr:opened", center_webhook(), json()}};
}

}  // namespace payloads
