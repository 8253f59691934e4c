// Large outputs of steps stand on disk in a folder of the run's id, and go when the journal forgets the run.
#pragma once

#include <cstddef>
#include <filesystem>

#include "core/result.h"
#include "state/journal.h"

namespace hark {

// Removes the folders below `folder` that bear the id of a run the journal does not know, and nothing else; returns how many. A run is
// in the journal before it writes, so that none under way is touched. Any thread, with a reader of its own; blocks.
Result<std::size_t> remove_stray_outputs(const std::filesystem::path& folder, JournalReader& journal);

}  // namespace hark
