#include "daemon/live_steps.h"

#include <nlohmann/json.hpp>

namespace hark {

void LiveSteps::note(const lifecycle::Any& any, WallTime now) {
  if (const auto* started = std::get_if<lifecycle::PhaseStarted>(&any)) {
    auto& live = runs_[started->run_id];
    live.step = started->phase;
    live.since = now;
  } else if (const auto* iteration = std::get_if<lifecycle::IterationStarted>(&any)) {
    runs_[iteration->run_id] = {iteration->iteration, {}, now};
  } else if (const auto* phase = std::get_if<lifecycle::PhaseComplete>(&any)) {
    // The next one may have been told of already: a group's own row comes after those of its steps.
    const auto live = runs_.find(phase->run_id);
    if (live != runs_.end() && live->second.step == phase->step.name) live->second.step.clear();
  } else if (const auto* ended = std::get_if<lifecycle::HandlerEnd>(&any)) {
    runs_.erase(ended->run->id);
  }
}

nlohmann::json LiveSteps::doing(std::string_view run_id) const {
  const auto live = runs_.find(run_id);
  if (live == runs_.end() || live->second.step.empty()) return nullptr;
  return {{"step", live->second.step}, {"iteration", live->second.iteration}, {"since", to_rfc3339(live->second.since)}};
}

}  // namespace hark
