// What becomes of runs: another attempt, a dead letter, a handler that tells of the failure.
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/event_json.h"
#include "core/limits.h"
#include "core/printable.h"
#include "daemon/engine_turn.h"
#include "handlers/retry.h"
#include "platform/clock.h"

namespace hark {

namespace {

std::int64_t microseconds(Duration duration) { return std::chrono::duration_cast<std::chrono::microseconds>(duration).count(); }

bool has_failed(RunState state) { return state == RunState::failed || state == RunState::timed_out; }

}  // namespace

const Handler* Engine::handler(const std::string& name) const {
  const auto found = handlers().find(name);
  return found == handlers().end() ? nullptr : found->second.get();
}

Status Engine::decide(const Run& run, WallTime now, Verdict verdict, std::string reason) {
  return parts_.journal.add_decision({run.event_sequence, now, Stage::executor, verdict, run.handler, std::move(reason)});
}

Status Engine::take_report(Turn& turn, StepReport& report) {
  turn.notices.emplace_back(lifecycle::PhaseComplete{report.of, report.step});
  if (report.step.published) {
    if (auto done = take_published(turn, report.run_sequence, *report.step.published); !done) return done;
  }
  return parts_.journal.add_step(report.run_sequence, report.attempt, report.index, report.step);
}

Status Engine::take_report(Turn& turn, lifecycle::Any& told) {
  turn.notices.push_back(told);
  return {};
}

Status Engine::take_report(Turn& turn, RunReport& report) {
  // Its processes are gone whatever becomes of this transaction, which may give its slot to the next.
  if (!report.ended) {
    report.ended = executor_.finished(report.run.id).value_or(Executor::Finished{});
    end_watching(report.run.handler, report.run.id, report.ended->handler.get(), turn.now.wall);
    // At once: the next run is chosen in this very turn.
    const auto state = report.run.state;
    if (state == RunState::succeeded || has_failed(state)) note_outcome(report.run.handler, state == RunState::succeeded, turn.now.steady);
  }
  if (auto done = keep_breaker(report.run.handler, turn.now); !done) return done;
  auto run = report.run;
  if (run.state == RunState::waiting) return park(turn, std::move(run), *report.ended);
  const bool halted = cut_short_.erase(run.id) > 0, again = again_when_ended_.erase(run.id) > 0;
  if (run.state == RunState::cancelled && halted && !cut_off_) {
    const auto id = run.id;
    if (auto done = interrupt(turn, std::move(run), report.ended->handler.get(), "ended by an emergency stop"); !done) return done;
    return halted_ ? Status() : take_up_again(turn, id);  // else with all others
  }
  if (run.state == RunState::cancelled && cut_off_) return interrupt(turn, std::move(run), report.ended->handler.get(), "cut off when hark stopped");
  // Who asked for its end while it failed by itself was told that it comes: there is no other attempt.
  if (report.ended->cancelled && has_failed(run.state)) run.state = RunState::cancelled;
  if (run.state == RunState::cancelled && !report.ended->why.empty()) {
    run.error = report.ended->why;
    if (auto done = decide(run, turn.now.wall, Verdict::dropped, run.error); !done) return done;
  }
  if (again && run.state == RunState::cancelled) {
    const auto id = run.id;
    if (auto done = settle(turn, std::move(run), report.ended->handler.get(), report.ended->event); !done) return done;
    auto ended = parts_.journal.run(id);
    if (!ended) return ended.error();
    (*ended)->steps.clear();
    return begin_again(turn, std::move(**ended), "a signal asked for another one");
  }
  return settle(turn, std::move(run), report.ended->handler.get(), report.ended->event);
}

// Interrupted, and hark goes on already: into the queue, if there is another attempt.
Status Engine::take_up_again(Turn& turn, const std::string& run_id) {
  auto run = parts_.journal.run(run_id);
  if (!run) return run.error();
  if (!*run || (*run)->state != RunState::queued) return {};
  (*run)->steps.clear();
  queue_.push_again({std::move(**run), nullptr}, turn.now);
  return {};
}

// A run's attempt is over. `handler` and `event` as they were when it began; null: it could not begin.
Status Engine::settle(Turn& turn, Run run, const Handler* handler, const EventPtr& event) {
  const bool failed = has_failed(run.state);
  if (failed) run.failures += 1;
  if (failed && handler != nullptr && run.failed_step) {
    const auto& result = run.steps[*run.failed_step];
    if (hark::try_again(handler->retry, result, run.failures)) {
      const auto pause = pause_before_retry(handler->retry, result, run.id, run.failures);
      return try_again(turn, std::move(run), *handler, event, pause);
    }
  }
  if (failed || run.state == RunState::interrupted) {
    run.dead_since = turn.now.wall;
    const auto attempts = handler != nullptr && handler->retry.attempts > 1 ? " after " + counted(std::size_t(run.failures), "failure") : std::string{};
    if (auto done = decide(run, turn.now.wall, Verdict::held, "stands in the dead letters" + attempts + ": " + run.error); !done) return done;
  }
  if (auto done = parts_.journal.update_run(run, owner_); !done) return done;
  queue_.done(run.handler, run.key);
  if (run.dead_since && handler != nullptr && !handler->on_failure.empty() && event) {
    if (auto done = run_on_failure(turn, run, *handler, *event); !done) return done;
  }
  run_ended(turn, std::move(run));
  return {};
}

Status Engine::try_again(Turn& turn, Run run, const Handler& handler, const EventPtr& event, Duration pause) {
  if (auto done = parts_.journal.add_attempt(run.sequence, attempt_of(run)); !done) return done;
  const auto reason = "attempt " + std::to_string(run.attempt) + " failed: " + run.error + "; failure " + std::to_string(run.failures) + " of " +
                      std::to_string(handler.retry.attempts) + ", the next attempt in " + to_string(std::chrono::duration_cast<std::chrono::milliseconds>(pause));
  if (auto done = decide(run, turn.now.wall, Verdict::held, reason); !done) return done;
  attempt_ended(turn, std::make_shared<const Run>(run));
  begin_next_attempt(run);
  run.not_before = turn.now.wall + std::chrono::microseconds(microseconds(pause));
  if (auto done = parts_.journal.update_run(run, owner_); !done) return done;
  turn.notices.emplace_back(lifecycle::RunRetry{std::make_shared<const Run>(run)});
  queue_.push_again({std::move(run), event}, turn.now);
  return {};
}

// An attempt that ended with the process that made it, now or in an earlier life. It is not put into the queue here.
Status Engine::interrupt(Turn& turn, Run run, const Handler* handler, const std::string& reason) {
  const auto how = handler != nullptr ? handler->on_interrupt : OnInterrupt::resume;
  run.state = RunState::interrupted;
  run.finished = turn.now.wall;
  run.error = reason;
  run.interruptions += 1;
  const bool too_often = run.interruptions >= limits::kInterruptions;
  if (how == OnInterrupt::fail || too_often) {
    if (too_often) run.error += "; it was cut off " + counted(std::size_t(run.interruptions), "time");
    auto event = parts_.journal.event_at(run.event_sequence);
    if (!event) return event.error();
    return settle(turn, std::move(run), handler, *event ? std::make_shared<const Event>(std::move(**event)) : nullptr);
  }
  if (auto done = parts_.journal.add_attempt(run.sequence, attempt_of(run)); !done) return done;
  attempt_ended(turn, std::make_shared<const Run>(run));
  if (how == OnInterrupt::resume) {
    if (auto done = parts_.journal.carry_steps(run.sequence, run.attempt, run.attempt + 1); !done) return done;
  }
  if (auto done = decide(run, turn.now.wall, Verdict::held, reason + (how == OnInterrupt::resume ? "; it goes on at its first unfinished step" : "; it begins again")); !done) {
    return done;
  }
  begin_next_attempt(run);
  if (auto done = parts_.journal.update_run(run, owner_); !done) return done;
  turn.notices.emplace_back(lifecycle::RunRetry{std::make_shared<const Run>(run)});
  return {};
}

// The failure is an event of its own, caused by the run that failed.
Status Engine::run_on_failure(Turn& turn, const Run& run, const Handler& handler, const Event& event) {
  Event failure;
  failure.type = "run_failed";
  failure.source = run.source;
  failure.subject = run.handler;
  failure.time = turn.now.wall;
  failure.correlation_id = run.correlation_id;
  failure.causation_id = run.id;
  failure.hops = event.hops + 1;
  failure.data = Payload(nlohmann::json{{"run", to_json(run)}, {"event", to_json(event)}});
  auto stored = add(turn, std::move(failure));
  if (!stored) return stored.error();
  return store(turn, router_.route(*stored, {handler.on_failure, true}, turn.now), {*stored});
}

void Engine::attempt_ended(Turn& turn, const RunPtr& run) {
  turn.notices.emplace_back(lifecycle::HandlerEnd{run});
}

void Engine::run_ended(Turn& turn, Run ended) {
  const auto run = std::make_shared<const Run>(std::move(ended));
  attempt_ended(turn, run);
  if (run->state == RunState::succeeded) {
    turn.notices.emplace_back(lifecycle::RunComplete{run});
  } else {
    turn.notices.emplace_back(lifecycle::RunFailed{run});
  }
  turn.ended.push_back(run);
}

// A handler with on_busy has as much to do as it may: who yields, the new one or the others?
Status Engine::make_room(Turn& turn, const Router::Start& start, const Handler& handler, bool& drop) {
  if (!queue_.busy(start.handler, start.key)) return {};
  if (handler.on_busy == OnBusy::drop) {
    drop = true;
    return decide(turn, start.event, {start.event->sequence, turn.now.wall, Stage::queue, Verdict::dropped, start.handler,
                                      "busy: as many runs of it as may (max_concurrent) are under way or next, on_busy is \"drop\""});
  }
  for (const auto sequence : queue_.waiting(start.handler, start.key)) {
    auto run = parts_.journal.run_at(sequence);
    if (!run) return run.error();
    if (!*run || !queue_.remove(**run)) continue;
    if (auto done = supersede(turn, std::move(**run), start, handler); !done) return done;
  }
  return {};
}

// on_busy = "restart": what is under way ends for a later one that waits for nothing else any more. After the queue was asked for what may
// start; it ends when all this is written.
Status Engine::make_way(Turn& turn) {
  make_way_at_.reset();
  if (restarting_.empty() || queue_.size() == 0) return {};
  // The one that waits for its end and for nothing else.
  const auto heir = [&](const std::string& handler, const std::optional<std::string>& key, std::uint64_t sequence) {
    auto next = restarting_.contains(handler) ? queue_.behind(handler, key) : std::nullopt;
    if (!next || next->sequence < sequence) return std::optional<RunQueue::Behind>();  // an older one that a person retries waits like any
    if (next->time <= queue_.looked_at()) return next;
    if (!make_way_at_ || next->time < *make_way_at_) make_way_at_ = next->time;
    return std::optional<RunQueue::Behind>();
  };
  const auto reason = [&](std::uint64_t sequence) -> Result<std::string> {
    const auto later = parts_.journal.run_at(sequence);
    if (!later) return later.error();
    return "ended for event " + (*later ? (*later)->event_id : std::string("after it")) + " (on_busy is \"restart\")";
  };
  for (const auto& run : executor_.running()) {
    const auto next = heir(run.handler, run.key, run.sequence);
    if (!next) continue;
    auto why = reason(next->sequence);
    if (!why) return why.error();
    turn.ends.emplace_back(run.id, std::move(*why));
  }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> waiting;
  for (const auto& [sequence, each] : waits_) {
    if (const auto next = heir(each.kept.handler, each.kept.key, sequence)) waiting.emplace_back(sequence, next->sequence);
  }
  for (const auto& [sequence, next] : waiting) {
    const auto why = reason(next);
    if (!why) return why.error();
    if (auto done = end_wait(turn, sequence, *why); !done) return done;
    schedule_turn();  // it goes on, to come to its end
  }
  return {};
}

Status Engine::supersede(Turn& turn, Run run, const Router::Start& start, const Handler& handler) {
  run.state = RunState::cancelled;
  run.finished = turn.now.wall;
  run.error = "event " + start.event->id + " took its place (on_busy is \"" + (handler.on_busy == OnBusy::latest ? "latest" : "restart") + "\")";
  if (auto done = parts_.journal.update_run(run, owner_); !done) return done;
  if (auto done = decide(run, turn.now.wall, Verdict::dropped, run.error); !done) return done;
  run_ended(turn, std::move(run));
  return {};
}

void Engine::note_outcome(const std::string& name, bool success, SteadyTime now) {
  const auto* its = handler(name);
  if (its == nullptr || its->breaker.failures == 0) return;
  if (success && !breakers_.contains(name)) return;
  auto& breaker = breakers_.try_emplace(name, its->breaker.failures, its->breaker.cooldown).first->second;
  const bool changed = success ? breaker.succeeded() : breaker.failed(now);
  if (changed) {
    say(success ? "info" : "warn", success ? "handler '" + name + "' works again: its runs go on"
                                           : "handler '" + name + "' failed " + counted(std::size_t(breaker.failures()), "time") + " in a row: its runs wait for " +
                                                 to_string(its->breaker.cooldown) + " (breaker)");
    apply_breaker(name, breaker);
  }
  if (success) breakers_.erase(name);
}

Status Engine::keep_breaker(const std::string& name, Now now) {
  const auto* its = handler(name);
  if (its == nullptr || its->breaker.failures == 0) return {};
  const auto found = breakers_.find(name);
  if (found == breakers_.end()) return parts_.journal.set_breaker({name, 0, {}});
  const auto& breaker = found->second;
  const bool closed = breaker.state() == Breaker::State::closed;
  const auto open_until = now.wall + std::chrono::duration_cast<std::chrono::microseconds>(breaker.until() - now.steady);
  return parts_.journal.set_breaker({name, breaker.failures(), closed ? std::nullopt : std::optional(open_until)});
}

void Engine::wake_breakers(SteadyTime now) {
  for (auto& [name, breaker] : breakers_) {
    if (breaker.wake(now)) apply_breaker(name, breaker);
  }
}

void Engine::apply_breaker(const std::string& handler, const Breaker& breaker) {
  switch (breaker.state()) {
    case Breaker::State::closed: return queue_.set_flow(handler, RunQueue::Flow::open);
    case Breaker::State::open: return queue_.set_flow(handler, RunQueue::Flow::none);
    case Breaker::State::half_open: return queue_.set_flow(handler, RunQueue::Flow::one);
  }
}

}  // namespace hark
