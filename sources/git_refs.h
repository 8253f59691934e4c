// Source `git_push`: the branches of a local repository, bare or not, watched in its refs (loose and packed).
//
// One event a branch that moved: data = {"repository", "ref", "branch", "before", "after", "created", "deleted", "forced",
// "commits": [{"id", "message", "author": {"name", "email"}, "time"}] (newest first, at most 100), "author", "message" (of `after`),
// "files" and "changed_files": paths changed between before and after, relative to the work tree}. Subject: the ref.
// before/after are 40 zeros where the branch was created/deleted, as a git hook and the forges write it.
// dedupe_key: name, ref, before, after.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/time.h"
#include "sources/source.h"

namespace hark {

class Clock;
class Loop;
class Workers;

struct GitRefsOptions {
  std::string name;
  std::filesystem::path repository;    // absolute: a work tree, its .git, or a bare repository
  std::vector<std::string> branches;   // globs over the branch's name ("release/*"); empty: every branch
};

std::unique_ptr<Source> make_git_refs(GitRefsOptions options, Loop& loop, const Clock& clock, Workers& workers);

}  // namespace hark
