// The publish step: an event of the run's own. It is stored with the step's row, in one transaction, so that it is there once, however often
// the step is tried. Its output says which it is: {"event_id", "type", "topic"}.
#pragma once

#include "handlers/steps/attempt.h"

namespace hark {

void render(const PublishStepOptions& options, Scope& scope, RenderedStep& shown);
StepResult attempt(const PublishStepOptions& options, const StepCall& call);

}  // namespace hark
