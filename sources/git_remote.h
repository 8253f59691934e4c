// Source `git_push` of a remote repository: its branches and tags, asked for every `interval`, for who has no inbound port.
//
// The events are those of git_refs.h (type, subject, dedupe_key, marks), as far as the other side tells: data = {"repository": the URL,
// "ref", "branch" or "tag", "before", "after", "created", "deleted"}, of a tag "commit". It tells neither commits nor files, nor whether a
// push was forced. Moves between two questions are one movement.
//
// While it cannot be asked the source is degraded, says why, and asks again at its interval, then after twice that, and so on up to
// limits::kGitRemotePauseMax; what moved meanwhile is told then. Known is, when a source first meets a repository, what the first answer says.
#pragma once

#include <memory>
#include <string>

#include "core/time.h"
#include "sources/ls_remote.h"
#include "sources/source.h"

namespace hark {

class Clock;
class Loop;
class Marks;
class RemoteReader;
class Workers;

struct GitRemoteOptions {
  std::string name;
  std::string url;
  RemoteCredentials credentials{};
  WantedRefs wanted{};
  Duration interval = std::chrono::minutes(1);
  friend bool operator==(const GitRemoteOptions&, const GitRemoteOptions&) = default;
};

// `workers`: threads for what waits for others. They finish before `reader` goes, the loop after them.
std::unique_ptr<Source> make_git_remote(GitRemoteOptions options, Loop& loop, const Clock& clock, Workers& workers, RemoteReader& reader, Marks& marks);

}  // namespace hark
