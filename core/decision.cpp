#include "core/decision.h"

#include <nlohmann/json.hpp>

namespace hark {

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::intake: return "intake";
    case Stage::dedupe: return "dedupe";
    case Stage::filter: return "filter";
    case Stage::debounce: return "debounce";
    case Stage::match: return "match";
    case Stage::queue: return "queue";
    case Stage::executor: return "executor";
    case Stage::hook: return "hook";
  }
  return {};
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed: return "passed";
    case Verdict::held: return "held";
    case Verdict::dropped: return "dropped";
  }
  return {};
}

nlohmann::json to_json(const Decision& decision) {
  nlohmann::json object = {{"time", to_rfc3339(decision.time)},
                           {"stage", to_string(decision.stage)},
                           {"verdict", to_string(decision.verdict)},
                           {"reason", decision.reason}};
  if (!decision.handler.empty()) object["handler"] = decision.handler;
  return object;
}

}  // namespace hark
