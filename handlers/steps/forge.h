// The forge step: writes to GitHub, GitLab, Gitea (and Forgejo) or Bitbucket over its API (forge_requests.h): a comment on a pull request (or an
// issue of GitHub and Gitea), a pull request, the status of a commit.
//
// Done again, an attempt finds what one before it has done: each comment ends with a marker, by which it is found, and with `update_key` later runs
// edit it; an open pull request of the same head and base is the answer; a status is said once more.
//
// The output is JSON (told_of()) with `created`: whether this attempt made it. A new pull request is told as pr:created.
#pragma once

#include "handlers/steps/attempt.h"

namespace hark {

void render(const ForgeStepOptions& options, Scope& scope, RenderedStep& shown);
StepResult attempt(const ForgeStepOptions& options, const StepCall& call);

}  // namespace hark
