// The audit: who asked the daemon to trigger, cancel, replay, reload, pause or stop, and what came of it. Kept in the journal, where nothing
// changes an entry once it is written; what `hark audit` prints.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "core/time.h"

namespace hark {

struct AuditEntry {
  std::uint64_t sequence = 0;  // the journal's
  WallTime time{};             // when it was asked
  std::string who;             // a token's subject; empty: no token was asked for, and `from` is all that is known
  std::string from;            // "192.0.2.1", "unix:uid=1000", "SIGHUP", "file" (the configuration changed), "publishers/ci" (a signal on the bus)
  std::string action;          // "trigger", "cancel", ...
  std::string object;          // the handler, run or event it was asked of; empty: all
  bool done = false;
  std::string outcome;         // the event that came of it; why it was not done
};

nlohmann::json to_json(const AuditEntry& entry);

}  // namespace hark
