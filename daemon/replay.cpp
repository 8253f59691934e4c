#include "daemon/replay.h"

namespace hark {

Result<Event> replay_of(const Event& original) {
  if (original.type == "run_failed" && !original.causation_id.empty()) {
    return Error{"event " + original.id + " tells of a failed run", "`hark dead-letters retry " + original.causation_id + "` runs that one again"};
  }
  // Changes of files that were merged are changes of files; a batch would be put into another batch.
  if (original.members > 0 && original.type != "file_change") {
    return Error{"event " + original.id + " is a batch of " + std::to_string(original.members), "replay its members: their ids are in its data"};
  }
  auto event = original;
  event.id.clear();
  event.sequence = 0;
  event.dedupe_key.clear();
  event.causation_id.clear();
  event.correlation_id.clear();
  event.hops = 0;
  event.members = 0;
  event.replay_of = original.id;
  return event;
}

Router::Target replay_target(const std::vector<Decision>& decisions, const std::string& handler) {
  for (const auto& decision : decisions) {
    if (decision.reason == kSentByName && (handler.empty() || handler == decision.handler)) return {decision.handler, true};
  }
  return {handler, false};
}

}  // namespace hark
