// `hark history --events`: what arrived, also what never ran, and what became of it.
#pragma once

#include "cli/commands.h"
#include "core/filter.h"

namespace hark {

// Reads the journal, newest first; returns the exit status.
int list_events(const HistoryCommand& command, const Filter& filter);

}  // namespace hark
