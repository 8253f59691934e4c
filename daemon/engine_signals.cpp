// What signals do: sessions that stay put, runs at a gate that go on, runs that are tried again, and the emergency stop.
#include <algorithm>
#include <exception>
#include <utility>

#include "core/event_json.h"
#include "core/limits.h"
#include "core/printable.h"
#include "daemon/engine_turn.h"
#include "daemon/signal.h"
#include "platform/clock.h"

namespace hark {

// One signal at work, within a turn.
class Engine::Steering final : public SignalDesk {
 public:
  Steering(Engine& engine, Turn& turn, EventPtr event) : engine_(engine), turn_(turn), event_(std::move(event)) {}

  Status say(std::string what) override { return engine_.decide(turn_, event_, {event_->sequence, turn_.now.wall, Stage::executor, Verdict::passed, {}, std::move(what)}); }
  Status pause(const std::string& session) override {
    if (engine_.paused_sessions_.contains(session)) return say("session " + session + " is paused already");
    if (engine_.paused_sessions_.size() >= limits::kPausedSessions) return say("session " + session + " is not paused: " + std::to_string(limits::kPausedSessions) + " others are");
    engine_.paused_sessions_.insert(session);
    if (auto done = engine_.parts_.journal.set_session_paused(session, true); !done) return done;
    return say("session " + session + " is paused: its runs that wait stay put");
  }
  Status resume(const std::string& session) override {
    if (engine_.paused_sessions_.erase(session) == 0) return say("session " + session + " is not paused");
    if (auto done = engine_.parts_.journal.set_session_paused(session, false); !done) return done;
    engine_.let_go(turn_, session);
    return say("session " + session + " goes on");
  }
  Status release(const std::string& session, const std::string& gate) override;
  Status try_again(const std::string& session, const std::string& run, int attempts, const std::string& escalate) override;
  Status start(const std::string& handler) override {
    if (engine_.handler(handler) == nullptr) return say("handler '" + handler + "' is not in the configuration any more");
    if (auto done = engine_.decide(turn_, event_, {event_->sequence, turn_.now.wall, Stage::match, Verdict::passed, handler, "the signal escalates to this handler"}); !done) return done;
    return engine_.take_start(turn_, {event_, handler, event_->priority, std::nullopt, std::nullopt, true, event_->source});
  }
  Status halt() override {
    if (engine_.halted_) return say("hark is stopped already");
    if (auto done = engine_.halt(turn_); !done) return done;
    return say("emergency stop: what runs is ended, nothing is taken in until `hark daemon resume`");
  }

 private:
  Engine& engine_;
  Turn& turn_;
  EventPtr event_;
};

Status Engine::take_signal(Turn& turn, const EventPtr& event) {
  if (!is_published(*event) || !event->replay_of.empty()) return {};
  const auto found = signals_.find(event->type);
  if (found == signals_.end()) return {};
  AuditEntry entry{0, turn.now.wall, {}, event->source, "signal", event->type, true, "event " + event->id};
  Steering steering(*this, turn, event);
  Status acted;
  try {
    acted = found->second->act(*event, steering);
  } catch (const std::exception& failure) {
    entry.done = false;
    entry.outcome += ": " + std::string(failure.what());
    acted = dead_letter_of(turn, event, failure.what());
  }
  return acted ? parts_.journal.add_audit(entry) : acted;
}

// A run that never was, so that the message stands where people look for what did not work.
Status Engine::dead_letter_of(Turn& turn, const EventPtr& event, const std::string& why) {
  Run run;
  run.id = ids_.next(turn.now.wall);
  run.handler = "signal:" + event->type;
  run.event_id = event->id;
  run.event_sequence = event->sequence;
  run.event_type = event->type;
  run.source = event->source;
  run.correlation_id = event->correlation_id;
  run.queued = run.started.emplace(turn.now.wall);
  run.finished = run.dead_since = turn.now.wall;
  run.state = RunState::failed;
  run.error = "the signal failed: " + why;
  const auto sequence = parts_.journal.add_run(run, owner_);
  if (!sequence) return sequence.error();
  run.sequence = *sequence;
  if (auto done = decide(run, turn.now.wall, Verdict::held, "stands in the dead letters: " + run.error); !done) return done;
  turn.notices.emplace_back(lifecycle::RunFailed{std::make_shared<const Run>(std::move(run))});
  return {};
}

Status Engine::Steering::release(const std::string& session, const std::string& gate) {
  std::vector<std::uint64_t> there;
  for (const auto& [sequence, waiting] : engine_.waits_) {
    const auto& wait = waiting.kept.wait;
    if (wait.part != StepPart::gate || !(gate.empty() || wait.step == gate)) continue;
    const auto run = engine_.parts_.journal.run_at(sequence);
    if (!run) return run.error();
    if (*run && (*run)->correlation_id == session) there.push_back(sequence);
  }
  for (const auto sequence : there) {
    const auto go = [&](Run run, const Wait& wait) { return engine_.wake(turn_, std::move(run), nullptr, wait, event_); };
    if (auto done = engine_.with_waiting(sequence, go); !done) return done;
  }
  return say(there.empty() ? "no run of session " + session + " waits at " + (gate.empty() ? "a gate" : "gate '" + gate + "'") : counted(there.size(), "run") + " of session " + session + " may pass the gate");
}

// The n-th of these signals since the run's event: up to `attempts` of them it is tried again, with the next somebody is told.
Status Engine::Steering::try_again(const std::string& session, const std::string& named, int attempts, const std::string& escalate) {
  auto& journal = engine_.parts_.journal;
  const auto story = journal.session(session, limits::kSessionEvents);
  if (!story) return story.error();
  const auto& runs = story->runs;
  const auto meant = std::find_if(runs.rbegin(), runs.rend(), [&](const Run& run) { return named.empty() ? !run.direct : run.id == named; });
  if (meant == runs.rend()) return say("session " + session + " has no run" + (named.empty() ? "" : " " + named) + " to be tried again");
  const auto nth = std::count_if(story->events.begin(), story->events.end(), [&](const Event& event) { return event.type == event_->type && event.sequence > meant->event_sequence && event.sequence <= event_->sequence; });
  if (nth > attempts) {
    if (auto done = say("run " + meant->id + " was tried again " + counted(std::size_t(attempts), "time") + " for such signals: no more"); !done) return done;
    return escalate.empty() ? Status() : start(escalate);
  }
  if (meant->state == RunState::succeeded) return say("run " + meant->id + " has succeeded: there is nothing to be tried again");
  if (!is_final(meant->state) && engine_.executor_.is_running(meant->id)) {
    engine_.again_when_ended_.insert(meant->id);
    turn_.ends.emplace_back(meant->id, "ended by a signal, to be tried again");
    return say("run " + meant->id + " is ended and tried again");
  }
  if (!is_final(meant->state)) return say("run " + meant->id + " is " + std::string(to_string(meant->state)) + ": it has yet to be tried");
  auto run = journal.run_at(meant->sequence);
  if (!run) return run.error();
  if (auto done = engine_.begin_again(turn_, std::move(**run), "a signal asked for another one"); !done) return done;
  return say("run " + meant->id + " is tried again");
}

Status Engine::halt(Turn& turn) {
  queue_.pause("");
  halted_ = true;
  turn.halts = true;
  if (auto done = parts_.journal.set_paused("", true); !done) return done;
  return parts_.journal.set_paused(std::string(kHalted), true);
}

// What was ended has stood in the journal alone since.
Status Engine::end_halt(Turn& turn) {
  halted_ = false;
  if (parts_.hurry) parts_.hurry(false);
  return refill_queue(turn.now, turn.reports);
}

void Engine::emergency_stop(Done done) {
  ask([this](Turn& turn, Status&) { return halted_ ? Status() : halt(turn); }, std::move(done));
}

// A session that was paused: what had come to its turn meanwhile.
void Engine::let_go(Turn& turn, const std::string& session) {
  const auto aside = set_aside_.extract(session);
  if (aside.empty()) return;
  for (const auto& waiting : aside.mapped()) queue_.push_again(waiting, turn.now);
}

// Runs that have come to their turn, of a session that is paused. They keep their keys, so that no later one overtakes them.
Status Engine::put_aside(Turn& turn, std::vector<RunQueue::Waiting> waiting) {
  for (auto& each : waiting) {
    const auto session = each.run.correlation_id;
    if (auto done = decide(each.run, turn.now.wall, Verdict::held, "session " + session + " is paused"); !done) return done;
    set_aside_[session].push_back(std::move(each));
  }
  return {};
}

bool Engine::take_from_aside(const Run& run) {
  const auto session = set_aside_.find(run.correlation_id);
  if (session == set_aside_.end()) return false;
  const bool found = std::erase_if(session->second, [&](const auto& each) { return each.run.sequence == run.sequence; }) > 0;
  if (session->second.empty()) set_aside_.erase(session);
  if (found) queue_.done(run.handler, run.key);
  return found;
}

std::size_t Engine::set_aside() const {
  std::size_t count = 0;
  for (const auto& [session, waiting] : set_aside_) count += waiting.size();
  return count;
}

}  // namespace hark
