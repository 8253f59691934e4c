// Source `git_pr`: pull and merge requests of GitHub, GitLab, Gitea, Forgejo and Bitbucket in one shape, by their webhooks, by asking their
// API at an interval, or by both, of which each change is told once.
//
// One event an action: type "git_pr", subject "owner/name#12", data as pull_request_data() says (sources/pull_request.h). A webhook is told
// as its own action where nothing was known of the request; of a known one, whoever brings news of it, what is told is what differs
// from what is known, in order (sources/pull_request_state.h): a webhook of what a poll told already is answered 200 {"unchanged": true},
// and one that got lost is made up for by the next. Which of two states of one second is the newer one (forges tell no more) only the
// forge knows: where it is asked, a webhook of such a one is answered 202 {"asking": true}, and the answer is told. dedupe_key: "git_pr/<name>/<subject>/<action>/<fingerprint of both states>".
//
// Known is, in the marks (sources/marks.h), the state of each request that was told of, and when a repository is first asked of all
// that are open then and of the hundred that changed last, which are no events. One that the forge says was made since is told as opened.
// Another one that was closed already is told of only when it is open again.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/time.h"
#include "sources/forge_api.h"
#include "sources/source.h"
#include "sources/webhook_receiver.h"

namespace hark {

class Clock;
class HttpClient;
class HttpServer;
class Loop;
class Marks;
class Workers;

struct ForgePolling {
  ForgeApi api;
  std::string token;
  Duration interval = std::chrono::minutes(1);
  friend bool operator==(const ForgePolling&, const ForgePolling&) = default;
};

struct GitPrOptions {
  std::string name;
  Forge forge = Forge::github;
  std::optional<ReceiverOptions> webhook;  // at least one of the two
  std::optional<ForgePolling> polling;
  std::set<std::string> events;  // actions that are told; empty: all
  friend bool operator==(const GitPrOptions&, const GitPrOptions&) = default;
};

struct GitPrParts {
  HttpServer& server;
  HttpClient& client;
  Loop& loop;
  const Clock& clock;
  Workers& workers;  // for what waits for others; they finish before the client goes, the loop after them
  Marks& marks;
};

std::unique_ptr<Source> make_git_pr(GitPrOptions options, const GitPrParts& parts);

}  // namespace hark
