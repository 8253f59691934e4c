// Source `git_push` of many local repositories: all that a pattern names ("/srv/git/*.git"), each watched as sources/git_refs.h says.
//
// Repositories that are there when the source first looks are known as they stand. One that comes later, which is looked for at an
// interval, begins with nothing: what it has then is told as created, so that a push right after `git init --bare` is not lost. One that
// goes is kept in mind, and told from where it stood when it is back. Folders that are no repositories are passed over.
//
// dedupe_key: that of git_refs.h and the repository's path. Marks: by the path, a zero byte, and the reference.
#pragma once

#include <memory>
#include <string>

#include "core/time.h"
#include "sources/git_repository.h"
#include "sources/source.h"

namespace hark {

class Clock;
class Loop;
class Marks;
class PushDesk;
class Workers;

struct GitFleetOptions {
  std::string name;
  std::string pattern;  // absolute; `*`, `?` and `[]` as glob(7) has them, none of which crosses a slash
  WantedRefs wanted{};
  Duration interval = std::chrono::seconds(10);
  friend bool operator==(const GitFleetOptions&, const GitFleetOptions&) = default;
};

// The loop outlives the workers' last job, as with make_git_refs().
std::unique_ptr<Source> make_git_fleet(GitFleetOptions options, Loop& loop, const Clock& clock, Workers& workers, Marks& marks, PushDesk& desk);

}  // namespace hark
