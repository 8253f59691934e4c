// The git step: looks into a repository and changes it, by the user's own git (docs/decisions/0016-the-git-step-by-the-git-program.md), as the
// handler's commands are run: contained, traced, ended with their tree.
//
// What comes from an event stays what it is meant to be: a name of a commit is resolved first and only its id goes further, a path is
// ":(literal)", a branch is one that git-check-ref-format(1) lets pass, a remote is one that the repository has, a message goes to standard
// input. So none becomes an option, a range, a pattern or an address.
//
// log, diff, show: what git prints is the output; log with `json`: a list of {id, time, author, email, subject, body}. commit, push: the id of the
// commit; nothing to commit is a success without an output. branch: its name. worktree: its path, in the folder of the step.
#pragma once

#include "handlers/steps/attempt.h"

namespace hark {

void render(const GitStepOptions& options, Scope& scope, RenderedStep& shown);
StepResult attempt(const GitStepOptions& options, const StepCall& call);

}  // namespace hark
