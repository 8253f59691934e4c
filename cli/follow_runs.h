// `hark history --follow`: runs as they end, told by the running daemon.
#pragma once

#include "cli/commands.h"
#include "core/filter.h"

namespace hark {

// Prints each run that matches when it has ended, one a line (JSON: one object a line), until it is interrupted; over restarts of the
// daemon. Returns an exit status when it cannot go on.
int follow_runs(const HistoryCommand& command, const Filter& filter);

}  // namespace hark
