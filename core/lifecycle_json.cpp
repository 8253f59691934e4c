#include "core/lifecycle_json.h"

#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

#include "core/event_field.h"
#include "core/event_json.h"

namespace hark {

namespace {

using Json = nlohmann::json;
using namespace lifecycle;

std::int64_t in_milliseconds(Duration duration) { return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(); }

Json of_run(const OfRun& e) { return {{"run_id", e.run_id}, {"handler", e.handler}, {"correlation_id", e.correlation_id}}; }

Json of_run(const OfRun& e, Json further) {
  further.update(of_run(e));
  return further;
}

Json fields(const EventReceived& e) { return {{"event", to_json(*e.event)}}; }
Json fields(const EventQueued& e) { return {{"event", to_json(*e.event)}, {"handler", e.handler}}; }
Json fields(const EventDropped& e) { return {{"event", to_json(*e.event)}, {"decision", to_json(e.decision)}}; }
Json fields(const EventRefused& e) { return {{"refusal", to_json(e.refusal)}}; }
Json fields(const HandlerStart& e) { return {{"run", to_json(*e.run)}}; }
Json fields(const HandlerEnd& e) { return {{"run", to_json(*e.run)}}; }
Json fields(const HandlerOverdue& e) {
  Json object = {{"handler", e.handler}, {"expect_every_ms", in_milliseconds(e.expect_every)}};
  if (e.last_success) object["last_success"] = to_rfc3339(*e.last_success);
  return object;
}
Json fields(const SourceStarted& e) { return {{"source", e.source}}; }
Json fields(const SourceStopped& e) { return {{"source", e.source}}; }
Json fields(const SourceError& e) { return {{"source", e.source}, {"message", e.message}, {"cure", e.cure}}; }
Json fields(const RunQueued& e) { return {{"run", to_json(*e.run)}}; }
Json fields(const RunStarted& e) { return {{"run", to_json(*e.run)}}; }
Json fields(const RunComplete& e) { return {{"run", to_json(*e.run)}}; }
Json fields(const RunRetry& e) { return {{"run", to_json(*e.run)}}; }
Json fields(const RunWaiting& e) { return {{"run", to_json(*e.run)}}; }
Json fields(const RunResumed& e) { return {{"run", to_json(*e.run)}}; }
Json fields(const RunFailed& e) { return {{"run", to_json(*e.run)}}; }
Json fields(const IterationStarted& e) { return of_run(e, {{"iteration", e.iteration}}); }
Json fields(const IterationComplete& e) { return of_run(e, {{"iteration", e.iteration}, {"passed", e.passed}, {"duration_ms", in_milliseconds(e.duration)}}); }
Json fields(const PhaseStarted& e) { return of_run(e, {{"phase", e.phase}}); }
Json fields(const PhaseComplete& e) { return of_run(e, {{"step", to_json(e.step)}}); }
Json fields(const VerificationStarted& e) { return of_run(e, {{"iteration", e.iteration}, {"gates", e.gates}}); }
Json fields(const GateChecked& e) {
  return of_run(e, {{"iteration", e.iteration}, {"gate", e.gate}, {"passed", e.passed}, {"why", e.why}, {"duration_ms", in_milliseconds(e.duration)}});
}
Json fields(const VerificationComplete& e) {
  return of_run(e, {{"iteration", e.iteration}, {"gates", e.gates}, {"passed", e.passed}, {"duration_ms", in_milliseconds(e.duration)}});
}
Json fields(const StrategyDecision& e) { return of_run(e, {{"iteration", e.iteration}, {"decision", e.decision}, {"reason", e.reason}}); }
Json fields(const WorkspaceAcquired& e) { return of_run(e, {{"folder", e.folder}, {"duration_ms", in_milliseconds(e.duration)}}); }
Json fields(const WorkspaceReleased& e) { return of_run(e, {{"folder", e.folder}, {"kept", e.kept}, {"duration_ms", in_milliseconds(e.duration)}}); }
Json fields(const SnapshotCreated& e) { return of_run(e, {{"snapshot", e.snapshot}, {"duration_ms", in_milliseconds(e.duration)}}); }
Json fields(const SnapshotRestored& e) { return of_run(e, {{"snapshot", e.snapshot}, {"duration_ms", in_milliseconds(e.duration)}}); }
Json fields(const DeliveryStarted& e) { return of_run(e, {{"iteration", e.iteration}}); }
Json fields(const DeliveryComplete& e) { return of_run(e, {{"delivered", e.delivered}, {"duration_ms", in_milliseconds(e.duration)}}); }
Json fields(const AgentStarted& e) { return of_run(e, {{"iteration", e.iteration}, {"step", e.step}, {"provider", e.provider}, {"type", e.type}}); }
Json fields(const AgentComplete& e) {
  auto object = of_run(e, {{"iteration", e.iteration}, {"step", e.step}, {"provider", e.provider}, {"type", e.type}, {"outcome", to_string(e.outcome)}, {"why", e.why},
                           {"duration_ms", in_milliseconds(e.duration)}});
  if (e.usage) object["usage"] = to_json(*e.usage);
  return object;
}
Json fields(const PullRequestCreated& e) { return of_run(e, {{"repository", e.repository}, {"url", e.url}}); }
Json fields(const Note& e) { return {{"level", e.level}, {"message", e.message}}; }

// What it is about, where that has fields of its own.
template <class T>
const Json* own_field(const T& e, std::string_view field, Json& scratch) {
  if constexpr (requires { e.run->state; }) {
    return run_field(*e.run, field, scratch);
  } else if constexpr (std::is_same_v<T, EventQueued>) {
    if (field == "handler") return &(scratch = e.handler);  // the data may have a field of this name
    return event_field(*e.event, field, scratch);
  } else if constexpr (requires { e.event->data; }) {
    return event_field(*e.event, field, scratch);
  } else {
    return nullptr;
  }
}

}  // namespace

nlohmann::json to_json(const Any& any, WallTime time) {
  auto object = std::visit([](const auto& each) { return fields(each); }, any);
  object["name"] = name(any);
  object["time"] = to_rfc3339(time);
  return object;
}

Filter::Verdict evaluate(const Filter& filter, const Any& any) {
  Json scratch;
  Json whole;  // made when it is needed
  return filter.evaluate([&](std::string_view field) -> const Json* {
    const auto* own = std::visit([&](const auto& each) { return own_field(each, field, scratch); }, any);
    if (own != nullptr) return own;
    if (whole.is_null()) {
      whole = std::visit([](const auto& each) { return fields(each); }, any);
      whole["name"] = name(any);
    }
    return json_at(whole, field);
  });
}

}  // namespace hark
