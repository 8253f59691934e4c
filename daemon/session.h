// A whole story: the events that share a correlation id, the runs that came of them, and what those published.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/event.h"
#include "core/result.h"
#include "core/run.h"
#include "state/journal.h"

namespace hark {

struct Session {
  std::string correlation_id;
  std::vector<Event> events;  // in the order they came
  std::vector<Run> runs;      // in order, with their steps
  bool cut = false;           // there is more than is shown
};

// `id`: a correlation id, or an event or a run (or the beginning of its id) of the story. nullopt: nothing of it is there.
Result<std::optional<Session>> find_session(JournalReader& journal, const std::string& id);

// Leaves out the others, with their runs, and says so.
void keep_events(Session& session, const std::function<bool(const Event&)>& wanted);

// {"correlation_id", "began", "duration_ms", "cut", "events"}: each event with its "runs", each run with the "events" that it caused.
nlohmann::json to_json(const Session& session);

}  // namespace hark
