// The run step: a command, with or without a shell.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "handlers/steps/attempt.h"
#include "platform/process.h"

namespace hark {

struct RenderedCommand {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> values;  // variables the script refers to
};
Result<RenderedCommand> render_command(const RunStepOptions& options, Scope& scope);

void render(const RunStepOptions& options, Scope& scope, RenderedStep& shown);
StepResult attempt(const RunStepOptions& options, const StepCall& call);
// The same with another standard input than the event.
StepResult attempt_command(const RunStepOptions& options, std::string input, const StepCall& call);

// An argv as a person would type it: quoted for a shell where it needs to be.
std::string shown_argv(const std::vector<std::string>& argv);

}  // namespace hark
