// The set step: values under names, which the steps behind it know as {vars.NAME}. Its output is the object of them, so that an attempt that
// goes on later finds them in the journal.
#pragma once

#include "handlers/steps/attempt.h"

namespace hark {

void render(const SetStepOptions& options, Scope& scope, RenderedStep& shown);
StepResult attempt(const SetStepOptions& options, const StepCall& call);

}  // namespace hark
