// The file step: reads, writes or finds files of the handler's folder (platform/confined_folder.h). Paths may come from event data.
//
// read: the file's content is the step's output. glob: a JSON list of paths, sorted, relative to the folder; a name that is no UTF-8 stands
// there with U+FFFD for what cannot be read. write, append: no output.
#pragma once

#include "handlers/steps/attempt.h"

namespace hark {

void render(const FileStepOptions& options, Scope& scope, RenderedStep& shown);
StepResult attempt(const FileStepOptions& options, const StepCall& call);

}  // namespace hark
