#include "state/journal.h"

namespace hark {

Result<std::optional<Event>> find_event(JournalReader& journal, const std::string& id) {
  auto event = journal.event(id);
  if (!event || *event) return event;
  auto run = journal.run(id);
  if (!run) return run.error();
  if (!*run) return event;
  return journal.event((*run)->event_id);
}

}  // namespace hark
