// One question to a forge's API: which pull requests changed, or are open. Blocks; for a worker thread.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "sources/forge_api.h"

namespace hark {

class Clock;
class HttpClient;

struct ForgeQuestion {
  ForgeApi api;
  std::string token;               // empty: nobody in particular asks
  std::optional<WallTime> seen;    // those that were updated then or later; nullopt: the first question, see below
  std::string etag;                // of the last answer to the same question: where nothing is new, the forge says only that
};

struct ForgeAnswer {
  std::vector<PullRequest> changed;    // newest first; none where nothing is new
  std::vector<PullRequest> open;       // first question: all that are open, and `changed` is only the newest page
  std::string etag;
  std::vector<std::string> unreadable; // why others are left out, and that the bound of pages was met
};

struct ForgeFailure {
  Error error;
  std::optional<Duration> wait;  // the forge wants to be left alone for so long
};

using ForgeOutcome = std::variant<ForgeAnswer, ForgeFailure>;
ForgeOutcome ask_forge(const ForgeQuestion& question, HttpClient& client, const Clock& clock, std::stop_token stop);

}  // namespace hark
