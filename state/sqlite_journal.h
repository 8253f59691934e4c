// The journal in SQLite. Private to state/ and its tests: everybody else includes state/journal.h.
#pragma once

#include <functional>
#include <string>

#include "core/limits.h"
#include "state/journal.h"

namespace hark {

// Seams for tests; what is not set is the real thing.
struct JournalOptions {
  std::function<int(int fd)> sync;  // fdatasync(2) of the -wal (on the sync thread), fsync(2) of the folder (on the opening one)
  std::string vfs;                  // the name of a registered SQLite VFS
  int checkpoint_pages = limits::kJournalCheckpointPages;
};

Result<std::unique_ptr<Journal>> open_journal(const std::filesystem::path& file, const JournalOptions& options);

}  // namespace hark
