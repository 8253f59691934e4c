#include "core/audit.h"

#include <nlohmann/json.hpp>

namespace hark {

nlohmann::json to_json(const AuditEntry& entry) {
  nlohmann::json object = {{"sequence", entry.sequence}, {"time", to_rfc3339(entry.time)}, {"from", entry.from}, {"action", entry.action}, {"done", entry.done}};
  if (!entry.who.empty()) object["who"] = entry.who;
  if (!entry.object.empty()) object["object"] = entry.object;
  if (!entry.outcome.empty()) object["outcome"] = entry.outcome;
  return object;
}

}  // namespace hark
