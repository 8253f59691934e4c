// `hark history --follow`: runs as they end.
#pragma once

#include <optional>

#include "cli/commands.h"
#include "cli/run_source.h"
#include "core/filter.h"

namespace hark {

// Prints each run that matches when it has ended, one a line (JSON: one object a line), until it is interrupted. Returns an exit status
// when it cannot go on.
int follow_runs(RunSource& source, const HistoryCommand& command, const Filter& filter);

}  // namespace hark
