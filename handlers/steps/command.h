// A command of a step, as its handler has them: in the step's folder, with the environment, the containment and the mark of its run. For the kinds
// of steps that start programs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "handlers/steps/attempt.h"
#include "platform/process.h"

namespace hark {

// How the handler's commands are contained that work in `folder`: a sandbox lets them write to the whole workspace, and read the repository that
// it is a worktree of.
Containment containment_in(const Handler& handler, const std::string& folder);

// Without an argv and an input. `values`: variables over those of the handler. An Error: it cannot be put together.
Result<Command> command_of(const StepCall& call, std::vector<std::pair<std::string, std::string>> values);

// To its end, by the step's deadline and stop. What it printed stays in the result, or in a file where it is large.
StepResult run_command(const Command& command, const StepCall& call);

}  // namespace hark
