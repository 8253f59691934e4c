// state.json: when each handler last ran and succeeded, which slot each schedule fired last. Small, readable by people, replaced whole.
//
// {"version": 1, "handlers": {NAME: {"last_run", "last_success", "expected_since", "last_state", "last_run_id"}}, "schedules": {NAME: {"last_slot"}}}
// A file that is cut off, or written by a newer hark, is kept aside as state.json.broken-<time> and said aloud; the start goes on
// from the journal. Not thread-safe, except save().
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/run.h"
#include "core/time.h"

namespace hark {

class FileSystem;

struct LastRun {
  struct Handler {
    std::optional<WallTime> last_run;      // when its last finished run started
    std::optional<WallTime> last_success;  // when its last successful run started: what {last_run} gives
    std::string last_state;
    std::string last_run_id;
    std::optional<WallTime> expected_since{};  // since when a success is expected (`expect_every`), while there was none
  };
  std::map<std::string, Handler> handlers;
  std::map<std::string, WallTime> schedules;  // last accepted slot

  void note(const Run& finished);

  std::string to_json_text() const;

  struct Loaded;
  // Never fails for what the file holds: `warning` says what was wrong and where it was kept.
  static Result<Loaded> load(FileSystem& files, const std::filesystem::path& path, WallTime now);
};

struct LastRun::Loaded {
  LastRun state;
  std::string warning;
};

Status save(FileSystem& files, const std::filesystem::path& path, std::string_view text);  // worker thread

}  // namespace hark
