// The wait step: the run stands still until an event comes, without a slot or a thread. It has no attempts: the pipeline hands the run back as
// waiting, and whoever runs the engine writes the step's row when the event is there.
#pragma once

#include "core/result.h"
#include "core/run.h"
#include "handlers/handler.h"
#include "handlers/pipeline.h"
#include "handlers/scope.h"

namespace hark {

// What it waits for; the step and the time are the caller's. A value in `where` is quoted, so that event data is never a sign of the filter.
Result<Wait> render_wait(const WaitStepOptions& options, Scope& scope);

void render(const WaitStepOptions& options, Scope& scope, RenderedStep& shown);

}  // namespace hark
