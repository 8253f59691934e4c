// What the readers of the forges (sources/pull_request_forges.h) have in common: how a title, a commit, a time, a label are taken
// from a stranger's JSON. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "sources/json_look.h"
#include "sources/pull_request.h"

namespace hark {

// Takes what no pull request can be without, and remembers the first that was not there.
class NeededFields {
 public:
  std::uint64_t number(const JsonLook& look, const char* name);  // from 1 on
  std::string text(const JsonLook& look, const char* name);      // a branch, a repository: not empty
  std::string title(const JsonLook& look, const char* name);
  void lacks(const char* name);
  Result<PullRequest> checked(PullRequest request) const;

 private:
  std::string missing_;
};
Error lacking(std::string_view field);  // "the pull request has no `field`"

std::string read_name(const JsonLook& look);  // of a person, a branch, a repository
std::string read_link(const JsonLook& look);
std::string read_description(const JsonLook& look);       // null: an empty one
std::string read_sha(const JsonLook& look);               // hexadecimal digits in lower case, else nothing
std::optional<WallTime> read_time(const JsonLook& look);  // every form that a forge has: text, or milliseconds since 1970

// Of a list of strings (`key` null) or of objects that have their name under `key`.
std::vector<std::string> read_labels(const JsonLook& look, const char* key);

// docs.gitlab.com, "Draft merge requests"; docs.gitea.com, "Pull request", whose marks are configurable: its own ones here.
std::string_view without_draft_mark(std::string_view title);
inline bool has_draft_mark(std::string_view title) { return without_draft_mark(title).size() < title.size(); }

}  // namespace hark
