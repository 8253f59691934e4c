#include "core/run.h"

#include <array>
#include <utility>

#include <nlohmann/json.hpp>

namespace hark {

using nlohmann::json;

namespace {

template <class State, std::size_t N>
std::optional<State> find_state(const std::array<std::pair<State, std::string_view>, N>& names, std::string_view text) {
  for (const auto& [state, name] : names) {
    if (name == text) return state;
  }
  return std::nullopt;
}

template <class State, std::size_t N>
std::string_view name_of(const std::array<std::pair<State, std::string_view>, N>& names, State wanted) {
  for (const auto& [state, name] : names) {
    if (state == wanted) return name;
  }
  return {};
}

constexpr std::array<std::pair<RunState, std::string_view>, 7> kRunStates = {{{RunState::queued, "queued"},
                                                                              {RunState::running, "running"},
                                                                              {RunState::succeeded, "succeeded"},
                                                                              {RunState::failed, "failed"},
                                                                              {RunState::timed_out, "timed_out"},
                                                                              {RunState::cancelled, "cancelled"},
                                                                              {RunState::interrupted, "interrupted"}}};
constexpr std::array<std::pair<StepState, std::string_view>, 5> kStepStates = {{{StepState::succeeded, "succeeded"},
                                                                                {StepState::failed, "failed"},
                                                                                {StepState::timed_out, "timed_out"},
                                                                                {StepState::cancelled, "cancelled"},
                                                                                {StepState::skipped, "skipped"}}};

double milliseconds(Duration duration) { return double(std::chrono::duration_cast<std::chrono::microseconds>(duration).count()) / 1000.0; }

}  // namespace

Attempt attempt_of(const Run& run) { return {run.attempt, run.state, run.started, run.finished, run.exit_code, run.error, {}}; }

void begin_next_attempt(Run& run) {
  run.attempt += 1;
  run.state = RunState::queued;
  run.started.reset();
  run.finished.reset();
  run.exit_code.reset();
  run.steps.clear();
}

std::string_view to_string(RunState state) { return name_of(kRunStates, state); }
std::optional<RunState> run_state_from(std::string_view text) { return find_state(kRunStates, text); }
std::string_view to_string(StepState state) { return name_of(kStepStates, state); }
std::optional<StepState> step_state_from(std::string_view text) { return find_state(kStepStates, text); }

json to_json(const StepResult& step) {
  json object = {{"name", step.name},
                 {"state", to_string(step.state)},
                 {"attempts", step.attempts},
                 {"started", to_rfc3339(step.started)},
                 {"duration_ms", milliseconds(step.duration)},
                 {"output", step.output},
                 {"output_bytes", step.output_bytes},
                 {"error_output", step.error_output},
                 {"error_bytes", step.error_bytes}};
  if (step.exit_code) object["exit_code"] = *step.exit_code;
  if (!step.output_file.empty()) object["output_file"] = step.output_file;
  if (!step.error_file.empty()) object["error_file"] = step.error_file;
  if (!step.error.empty()) object["error"] = step.error;
  return object;
}

namespace {

// What a run and an attempt have in common.
template <class Tried>
void add_outcome(json& object, const Tried& tried) {
  object["state"] = to_string(tried.state);
  if (tried.started) object["started"] = to_rfc3339(*tried.started);
  if (tried.finished) object["finished"] = to_rfc3339(*tried.finished);
  if (tried.started && tried.finished) object["duration_ms"] = milliseconds(*tried.finished - *tried.started);
  if (tried.exit_code) object["exit_code"] = *tried.exit_code;
  if (!tried.error.empty()) object["error"] = tried.error;
  if (tried.steps.empty()) return;
  auto& steps = object["steps"] = json::array();
  for (const auto& step : tried.steps) steps.push_back(to_json(step));
}

}  // namespace

json to_json(const Attempt& attempt) {
  json object = {{"attempt", attempt.number}};
  add_outcome(object, attempt);
  return object;
}

json to_json(const Run& run) {
  json object = {{"id", run.id},
                 {"sequence", run.sequence},
                 {"handler", run.handler},
                 {"event", {{"id", run.event_id}, {"sequence", run.event_sequence}, {"type", run.event_type}, {"source", run.source}}},
                 {"correlation_id", run.correlation_id},
                 {"attempt", run.attempt},
                 {"queued", to_rfc3339(run.queued)}};
  if (run.priority != 0) object["priority"] = run.priority;
  if (run.key) object["key"] = *run.key;
  if (run.not_before && run.state == RunState::queued) object["not_before"] = to_rfc3339(*run.not_before);
  if (run.dead_since) object["dead_since"] = to_rfc3339(*run.dead_since);
  add_outcome(object, run);
  if (!run.attempts.empty()) {
    auto& attempts = object["attempts"] = json::array();
    for (const auto& attempt : run.attempts) attempts.push_back(to_json(attempt));
  }
  return object;
}

}  // namespace hark
