// What another configuration would change of the one that runs, and what of it only a restart can. Pure.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "daemon/settings.h"

namespace hark {

struct ConfigDifference {
  struct Names {
    std::vector<std::string> added, changed, removed;  // each in the order of its configuration
    bool empty() const { return added.empty() && changed.empty() && removed.empty(); }
  };
  Names sources;
  Names handlers;
  Names hooks;
  std::vector<std::string> keys;     // of the top level that have another value; those of `refused` are not among them
  std::vector<std::string> refused;  // what needs a restart: "journal_file: needs a restart (...)", one a key
  bool empty() const { return sources.empty() && handlers.empty() && hooks.empty() && keys.empty() && refused.empty(); }
};

ConfigDifference difference(const Settings& running, const Settings& wanted);

// "sources: +a, ~b, -c; handlers: ~x; hooks: +y; settings: log_level"; "nothing" where there is none. Without what is refused.
std::string to_text(const ConfigDifference& difference);
nlohmann::json to_json(const ConfigDifference& difference);

}  // namespace hark
