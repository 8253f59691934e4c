// Where `hark history` reads: the journal's file, or the running daemon. Both give the JSON form of the API.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/commands.h"
#include "cli/run_table.h"
#include "state/journal.h"

namespace hark {

// Each prints what went wrong and returns the exit status; nullopt: the answer is in the last argument.
class RunSource {
 public:
  virtual ~RunSource() = default;
  virtual std::optional<int> runs(const RunQuery& query, nlohmann::json& runs) = 0;
  virtual std::optional<int> run(const std::string& id, nlohmann::json& run) = 0;      // null: no such run
  virtual std::optional<int> event(const std::string& id, nlohmann::json& event) = 0;  // with its decisions and runs; null: no such event
  virtual std::vector<std::string> handlers() = 0;                                     // that are configured or have runs
  virtual ShownId shown_ids() = 0;
};

// Prints and returns as above.
std::optional<int> open_run_source(const CommonOptions& common, bool from_daemon, std::unique_ptr<RunSource>& source);

}  // namespace hark
