// Lifecycle events: what hark says about itself while it works. One struct a name, so that a payload that does not fit its name
// does not compile. Values: a subscriber on another thread may keep them.
//
// The emitter is the loop's. A subscriber either runs on the loop (it must only count or copy) or is handed to a thread of its own by
// reporters/detached.h. One that throws is counted and the next one is called.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/decision.h"
#include "core/event.h"
#include "core/refusal.h"
#include "core/run.h"

namespace hark::lifecycle {

struct EventReceived {
  static constexpr std::string_view kName = "event:received";
  EventPtr event;
};
struct EventQueued {  // a handler will run for it
  static constexpr std::string_view kName = "event:queued";
  EventPtr event;
  std::string handler;
};
struct EventDropped {  // it goes no further, wholly or for one handler: `decision` says where and why
  static constexpr std::string_view kName = "event:dropped";
  EventPtr event;
  Decision decision;
};
struct EventRefused {  // a source did not take it: it never became an event
  static constexpr std::string_view kName = "event:refused";
  Refusal refusal;
  std::uint64_t tells = 1;  // how many of this source and cause whoever writes lines tells of with it; 0: a line was written just before
};
struct HandlerStart {
  static constexpr std::string_view kName = "event:handler:start";
  RunPtr run;
};
struct HandlerEnd {
  static constexpr std::string_view kName = "event:handler:end";
  RunPtr run;
};
struct HandlerOverdue {  // it has not succeeded for as long as it was expected to
  static constexpr std::string_view kName = "handler:overdue";
  std::string handler;
  Duration expect_every{};
  std::optional<WallTime> last_success;
};
struct SourceStarted {
  static constexpr std::string_view kName = "source:started";
  std::string source;
};
struct SourceStopped {
  static constexpr std::string_view kName = "source:stopped";
  std::string source;
};
struct SourceError {
  static constexpr std::string_view kName = "source:error";
  std::string source;
  std::string message;
  std::string cure;
};
struct RunQueued {
  static constexpr std::string_view kName = "run:queued";
  RunPtr run;
};
struct RunStarted {
  static constexpr std::string_view kName = "run:started";
  RunPtr run;
};
struct RunComplete {
  static constexpr std::string_view kName = "run:complete";
  RunPtr run;
};
struct RunRetry {  // an attempt failed or was cut off, another one follows: run.attempt is its number
  static constexpr std::string_view kName = "run:retry";
  RunPtr run;
};
struct RunWaiting {  // for an event, and holds no slot: run.error tells which
  static constexpr std::string_view kName = "run:waiting";
  RunPtr run;
};
struct RunResumed {  // it has what it waited for, or its time is over, and begins to work again
  static constexpr std::string_view kName = "run:resumed";
  RunPtr run;
};
struct RunFailed {  // failed, timed out, cancelled or interrupted: run.state tells
  static constexpr std::string_view kName = "run:failed";
  RunPtr run;
};

// What happens within a run.
struct OfRun {
  std::string run_id;
  std::string handler;
  std::string correlation_id;
  int attempt = 1;
  std::string traceparent{};  // of its event
};
OfRun of(const Run& run);

struct IterationStarted : OfRun {
  static constexpr std::string_view kName = "iteration:started";
  int iteration = 1;
};
struct IterationComplete : OfRun {
  static constexpr std::string_view kName = "iteration:complete";
  int iteration = 1;
  bool passed = false;  // its steps did what they had to, and every gate let it pass
  Duration duration{};
};
struct PhaseStarted : OfRun {  // a phase is one step of the pipeline
  static constexpr std::string_view kName = "phase:started";
  std::string phase;
};
struct PhaseComplete : OfRun {
  static constexpr std::string_view kName = "phase:complete";
  StepResult step;
};
struct VerificationStarted : OfRun {  // of an iteration, by its gates
  static constexpr std::string_view kName = "verification:started";
  int iteration = 1;
  std::size_t gates = 0;
};
struct GateChecked : OfRun {
  static constexpr std::string_view kName = "gate:checked";
  int iteration = 1;
  std::string gate;
  bool passed = false;
  std::string why;  // it did not pass
  Duration duration{};
};
struct VerificationComplete : OfRun {
  static constexpr std::string_view kName = "verification:complete";
  int iteration = 1;
  std::size_t gates = 0;
  std::size_t passed = 0;
  Duration duration{};
};
struct StrategyDecision : OfRun {  // what follows an iteration
  static constexpr std::string_view kName = "strategy:decision";
  int iteration = 1;
  std::string_view decision;  // "iterate" | "deliver" | "stop"
  std::string reason;
};
struct WorkspaceAcquired : OfRun {
  static constexpr std::string_view kName = "workspace:acquired";
  std::string folder;
  Duration duration{};
};
struct WorkspaceReleased : OfRun {
  static constexpr std::string_view kName = "workspace:released";
  std::string folder;
  bool kept = false;
  Duration duration{};
};
struct SnapshotCreated : OfRun {  // of its workspace
  static constexpr std::string_view kName = "snapshot:created";
  std::string snapshot;
  Duration duration{};
};
struct SnapshotRestored : OfRun {
  static constexpr std::string_view kName = "snapshot:restored";
  std::string snapshot;
  Duration duration{};
};
struct DeliveryStarted : OfRun {
  static constexpr std::string_view kName = "delivery:started";
  int iteration = 1;  // whose result it delivers
};
struct DeliveryComplete : OfRun {
  static constexpr std::string_view kName = "delivery:complete";
  bool delivered = false;
  Duration duration{};
};
struct PullRequestCreated : OfRun {  // by a step
  static constexpr std::string_view kName = "pr:created";
  std::string repository;
  std::string url;
};

struct AgentStarted : OfRun {  // a provider is asked: an agent's command, or a model over HTTP
  static constexpr std::string_view kName = "agent:started";
  int iteration = 1;
  std::string step;
  std::string provider;
  std::string_view type;  // "command" | "openai" | "anthropic"
};
struct AgentComplete : OfRun {  // each attempt of a prompt is a question of its own
  static constexpr std::string_view kName = "agent:complete";
  int iteration = 1;
  std::string step;
  std::string provider;
  std::string_view type;
  StepState outcome = StepState::succeeded;
  std::string why;             // it did not succeed
  std::optional<Usage> usage;  // as far as it was told; of a command never
  Duration duration{};
};

struct Note {  // what else there is to say, for people: "hark is ready"
  static constexpr std::string_view kName = "daemon:note";
  std::string_view level;  // "info" | "warn" | "error"
  std::string message;
};

using Any = std::variant<EventReceived, EventQueued, EventDropped, EventRefused, HandlerStart, HandlerEnd, HandlerOverdue, SourceStarted, SourceStopped, SourceError, RunQueued,
                         RunStarted, RunWaiting, RunResumed, RunComplete, RunRetry, RunFailed, IterationStarted, IterationComplete, PhaseStarted, PhaseComplete, VerificationStarted, GateChecked,
                         VerificationComplete, StrategyDecision, WorkspaceAcquired, WorkspaceReleased, SnapshotCreated, SnapshotRestored, DeliveryStarted, DeliveryComplete, PullRequestCreated,
                         AgentStarted, AgentComplete, Note>;

std::string_view name(const Any& any);
std::vector<std::string> names();  // of all there are, in the order above

// Loop thread only.
class Emitter {
 public:
  using Subscriber = std::function<void(const Any&)>;

  void subscribe(std::string subscriber_name, Subscriber subscriber);

  void emit(const Any& event);

  struct Fault {
    std::string subscriber;
    std::string what;         // of the last exception
    std::uint64_t count = 0;
  };
  const std::vector<Fault>& faults() const { return faults_; }  // one a subscriber that ever threw

 private:
  struct Entry {
    std::string name;
    Subscriber call;
  };
  std::vector<Entry> subscribers_;
  std::vector<Fault> faults_;
};

}  // namespace hark::lifecycle
