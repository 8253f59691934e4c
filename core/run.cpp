#include "core/run.h"

#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/event_field.h"
#include "core/limits.h"
#include "core/printable.h"

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

constexpr std::array<std::pair<RunState, std::string_view>, 8> kRunStates = {{{RunState::queued, "queued"},
                                                                              {RunState::running, "running"},
                                                                              {RunState::waiting, "waiting"},
                                                                              {RunState::succeeded, "succeeded"},
                                                                              {RunState::failed, "failed"},
                                                                              {RunState::timed_out, "timed_out"},
                                                                              {RunState::cancelled, "cancelled"},
                                                                              {RunState::interrupted, "interrupted"}}};
constexpr std::array<std::pair<StepState, std::string_view>, 6> kStepStates = {{{StepState::succeeded, "succeeded"},
                                                                                {StepState::failed, "failed"},
                                                                                {StepState::tolerated, "tolerated"},
                                                                                {StepState::timed_out, "timed_out"},
                                                                                {StepState::cancelled, "cancelled"},
                                                                                {StepState::skipped, "skipped"}}};

constexpr std::array<std::pair<StepPart, std::string_view>, 3> kStepParts = {{{StepPart::step, "step"}, {StepPart::gate, "gate"}, {StepPart::delivery, "delivery"}}};

double milliseconds(Duration duration) { return double(std::chrono::duration_cast<std::chrono::microseconds>(duration).count()) / 1000.0; }

}  // namespace

Attempt attempt_of(const Run& run) { return {run.attempt, run.state, run.started, run.finished, run.exit_code, run.error, {}}; }

WaitingRun waiting_run(const Run& run) {
  return {run.sequence, run.event_sequence, run.handler, run.source, run.key, run.priority, run.not_before, throttle_applies(run)};
}

std::uint64_t tokens_used(const Run& run) {
  std::uint64_t used = 0;
  for (const auto& step : run.steps) {
    if (step.usage) used += step.usage->input_tokens + step.usage->output_tokens;
  }
  return used;
}

std::string told(const Wait& wait) {
  std::string text = wait.types.size() == 1 ? "an event of type " : "an event of one of the types ";
  for (std::size_t i = 0; i < wait.types.size(); ++i) text += (i == 0 ? "'" : ", '") + printable(wait.types[i], limits::kShownValue) + "'";
  if (!wait.topic.empty()) text += " with the topic '" + printable(wait.topic, limits::kShownValue) + "'";
  if (!wait.where.empty()) text += " (where " + printable(wait.where, limits::kStepError) + ")";
  if (wait.until) text += " until " + to_rfc3339(*wait.until);
  return text;
}

void begin_next_attempt(Run& run) {
  run.attempt += 1;
  run.state = RunState::queued;
  run.started.reset();
  run.finished.reset();
  run.exit_code.reset();
  run.steps.clear();
  run.failed_step.reset();
}

std::string_view to_string(RunState state) { return name_of(kRunStates, state); }
std::optional<RunState> run_state_from(std::string_view text) { return find_state(kRunStates, text); }
std::string_view to_string(StepState state) { return name_of(kStepStates, state); }
std::optional<StepState> step_state_from(std::string_view text) { return find_state(kStepStates, text); }
std::string_view to_string(StepPart part) { return name_of(kStepParts, part); }
std::optional<StepPart> step_part_from(std::string_view text) { return find_state(kStepParts, text); }

json to_json(const Usage& usage) {
  json object = {{"input_tokens", usage.input_tokens}, {"output_tokens", usage.output_tokens}};
  if (usage.cost) object["cost"] = *usage.cost;
  return object;
}

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
  if (step.part != StepPart::step) object["part"] = to_string(step.part);
  if (step.iteration > 1) object["iteration"] = step.iteration;
  if (step.exit_code) object["exit_code"] = *step.exit_code;
  if (!step.output_file.empty()) object["output_file"] = step.output_file;
  if (!step.error_file.empty()) object["error_file"] = step.error_file;
  if (!step.error.empty()) object["error"] = step.error;
  if (step.usage) object["usage"] = to_json(*step.usage);
  return object;
}

namespace {

void add_steps(json& object, const std::vector<StepResult>& results) {
  if (results.empty()) return;
  auto& steps = object["steps"] = json::array();
  for (const auto& step : results) steps.push_back(to_json(step));
}

// A field of the JSON form and how it is had; discarded: there is none.
template <class Tried>
struct Field {
  std::string_view name;
  json (*get)(const Tried&);
};

json absent() { return json(json::value_t::discarded); }
json text_or_absent(const std::string& text) { return text.empty() ? absent() : json(text); }
json time_or_absent(const std::optional<WallTime>& time) { return time ? json(to_rfc3339(*time)) : absent(); }

// What a run and an attempt have in common.
template <class Tried>
constexpr std::array<Field<Tried>, 6> kOutcome = {{
    {"state", [](const Tried& tried) -> json { return to_string(tried.state); }},
    {"started", [](const Tried& tried) { return time_or_absent(tried.started); }},
    {"finished", [](const Tried& tried) { return time_or_absent(tried.finished); }},
    {"duration_ms", [](const Tried& tried) { return tried.started && tried.finished ? json(milliseconds(*tried.finished - *tried.started)) : absent(); }},
    {"exit_code", [](const Tried& tried) { return tried.exit_code ? json(*tried.exit_code) : absent(); }},
    {"error", [](const Tried& tried) { return text_or_absent(tried.error); }},
}};

json event_of(const Run& run) {
  return {{"id", run.event_id}, {"sequence", run.event_sequence}, {"type", run.event_type}, {"source", run.source}};
}

constexpr std::array<Field<Run>, 11> kRun = {{
    {"id", [](const Run& run) -> json { return run.id; }},
    {"sequence", [](const Run& run) -> json { return run.sequence; }},
    {"handler", [](const Run& run) -> json { return run.handler; }},
    {"event", event_of},
    {"correlation_id", [](const Run& run) -> json { return run.correlation_id; }},
    {"attempt", [](const Run& run) -> json { return run.attempt; }},
    {"queued", [](const Run& run) -> json { return to_rfc3339(run.queued); }},
    {"priority", [](const Run& run) { return run.priority != 0 ? json(run.priority) : absent(); }},
    {"key", [](const Run& run) { return run.key ? json(*run.key) : absent(); }},
    {"not_before", [](const Run& run) { return run.state == RunState::queued ? time_or_absent(run.not_before) : absent(); }},
    {"dead_since", [](const Run& run) { return time_or_absent(run.dead_since); }},
}};

template <class Tried, std::size_t N>
void add(json& object, const std::array<Field<Tried>, N>& fields, const Tried& tried) {
  for (const auto& [name, get] : fields) {
    if (auto value = get(tried); !value.is_discarded()) object.emplace(name, std::move(value));
  }
}

const Field<Run>* find_field(std::string_view name) {
  for (const auto& field : kRun) {
    if (field.name == name) return &field;
  }
  for (const auto& field : kOutcome<Run>) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

}  // namespace

json to_json(const Attempt& attempt) {
  json object = {{"attempt", attempt.number}};
  add(object, kOutcome<Attempt>, attempt);
  add_steps(object, attempt.steps);
  return object;
}

json to_json(const Run& run) {
  json object = json::object();
  add(object, kRun, run);
  add(object, kOutcome<Run>, run);
  add_steps(object, run.steps);
  if (!run.attempts.empty()) {
    auto& attempts = object["attempts"] = json::array();
    for (const auto& attempt : run.attempts) attempts.push_back(to_json(attempt));
  }
  return object;
}

const json* run_field(const Run& run, std::string_view name, json& scratch) {
  const auto dot = name.find('.');
  const auto* field = find_field(name.substr(0, dot));
  if (field == nullptr) return nullptr;
  scratch = field->get(run);
  if (dot != name.npos) return json_at(scratch, name.substr(dot + 1));
  return scratch.is_discarded() ? nullptr : &scratch;
}

std::vector<std::string> run_fields() {
  std::vector<std::string> names;
  for (const auto& field : kRun) names.emplace_back(field.name);
  for (const auto& field : kOutcome<Run>) names.emplace_back(field.name);
  const auto event = event_of({});
  for (const auto& [key, value] : event.items()) names.push_back("event." + key);
  return names;
}

}  // namespace hark
