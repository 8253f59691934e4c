// Source `git_push`: the branches and tags of a local repository, bare or not, watched in its refs (loose and packed).
//
// One event a branch or tag that moved: data = {"repository", "ref", "branch" or "tag", "before", "after", "created", "deleted", "forced",
// "commits": [{"id", "message", "author": {"name", "email"}, "time"}] (newest first, at most 100), "author", "message" (of
// `after`), "files" and "changed_files": paths changed between before and after, relative to the work tree, "changes": the same with their
// kind ([{"kind", "path", "from"}])}. Subject: the ref. A tag's before and after are as git has them (of an annotated one the tag
// object), "commit" is what it stands for.
// before/after are 40 zeros where the branch was created/deleted, as a git hook and the forges write it. A created branch's
// commits are those that no other branch had, its files are compared with where it left the others. "commits_truncated",
// "files_truncated" and "message_truncated" are true where a bound was met; "incomplete" says what a damaged or partial
// repository could not tell.
//
// Known are, when a source first meets a repository, the branches as they stand then: no event for them. Afterwards what differs from
// the known is an event, also what moved while nobody looked, hark itself being down (sources/marks.h keeps the known); a branch counts
// as known at its new place only once the event was taken, a refused one is offered again. A branch that moved twice before it was
// looked at is one movement, unless a hook told of both (sources/push_desk.h). With other `wanted` than before, those that were not wanted then are known as they stand now.
//
// dedupe_key: "git/<name>/<ref>/<before>/<after>/<n>". The first four do not make it unique: a branch may go from A to B, back, and to
// B again within the window, and each time is a push. n numbers the movements of one branch, from the time it was first met; it is kept
// with the known, so that a movement whose answer got lost (stop() or the process's end while it was offered) has the same key when it
// is offered again, and runs once. The reflog would be no better: bare repositories keep none, and its times are whole seconds.
//
// Reading and comparing happen on a worker, with a repository opened for it; what is known belongs to the loop. One reading at a
// time: what changes meanwhile is read once more. start() reads the repository once on the loop's own thread (well under a
// millisecond for some dozens of branches): "known" is then what stood when start() returned, and a push a moment later is not
// missed.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/time.h"
#include "sources/git_repository.h"
#include "sources/source.h"

namespace hark {

class Clock;
class InotifyHub;
class Loop;
class Marks;
class PushDesk;
class Workers;

struct GitRefsOptions {
  std::string name;
  std::filesystem::path repository;  // absolute: a work tree, its .git, or a bare repository
  WantedRefs wanted{};
  bool from_nothing = false;  // one that is met for the first time begins with nothing: what it has is told as created
  friend bool operator==(const GitRefsOptions&, const GitRefsOptions&) = default;
};

// `hub`: shared with others; null: its own. The loop outlives the workers' last job: a reading under way at stop() still ends with a post to it, which then does nothing.
std::unique_ptr<Source> make_git_refs(GitRefsOptions options, Loop& loop, const Clock& clock, Workers& workers, Marks& marks, PushDesk& desk,
                                      std::shared_ptr<InotifyHub> hub = nullptr);

}  // namespace hark
