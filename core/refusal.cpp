#include "core/refusal.h"

#include <nlohmann/json.hpp>

#include "core/decision.h"

namespace hark {

std::string_view to_string(Refusal::Cause cause) {
  switch (cause) {
    case Refusal::Cause::address: return "address";
    case Refusal::Cause::signature: return "signature";
    case Refusal::Cause::body: return "body";
    case Refusal::Cause::size: return "size";
    case Refusal::Cause::type: return "type";
    case Refusal::Cause::rate: return "rate_limit";
    case Refusal::Cause::unavailable: return "unavailable";
    case Refusal::Cause::request: return "request";
    case Refusal::Cause::path: return "path";
  }
  return {};
}

nlohmann::json to_json(const Refusal& refusal) {
  nlohmann::json object = {{"time", to_rfc3339(refusal.time)},
                           {"source", refusal.source},
                           {"stage", to_string(Stage::intake)},
                           {"cause", to_string(refusal.cause)},
                           {"reason", refusal.reason}};
  if (!refusal.peer.empty()) object["peer"] = refusal.peer;
  if (!refusal.delivery.empty()) object["delivery"] = refusal.delivery;
  return object;
}

}  // namespace hark
