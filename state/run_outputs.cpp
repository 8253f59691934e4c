#include "state/run_outputs.h"

#include <system_error>

#include "core/ids.h"

namespace hark {
namespace fs = std::filesystem;

Result<std::size_t> remove_stray_outputs(const fs::path& folder, JournalReader& journal) {
  std::error_code error;
  std::size_t removed = 0;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const auto id = entry->path().filename().string();
    if (!is_id(id) || entry->symlink_status(error).type() != fs::file_type::directory) continue;
    const auto run = journal.run(id);
    if (!run) return run.error();
    if (*run) continue;
    fs::remove_all(entry->path(), error);
    if (error) return Error{"cannot remove " + entry->path().string() + ": " + error.message(), "remove it by hand"};
    ++removed;
  }
  if (error && error != std::errc::no_such_file_or_directory) return Error{"cannot look into " + folder.string() + ": " + error.message(), ""};
  return removed;
}

}  // namespace hark
