#include <utility>

#include "core/printable.h"
#include "daemon/engine_settings.h"
#include "daemon/engine_turn.h"
#include "daemon/owners.h"
#include "daemon/places.h"
#include "handlers/workspace.h"
#include "platform/clock.h"

namespace hark {

Status Engine::learn_last_runs() {
  auto successes = parts_.journal.last_successes();
  if (!successes) return successes.error();
  for (const auto& [handler, time] : *successes) {
    auto& known = last_run_.handlers[handler];
    if (!known.last_success || *known.last_success < time) known.last_success = time;
    if (known.last_run && *known.last_run >= time) continue;
    known.last_run = time;
    known.last_state = to_string(RunState::succeeded);
    known.last_run_id.clear();  // which one it was is not asked
  }
  return {};
}

Status Engine::recover(const std::function<std::size_t(const std::string& run_id)>& end_leftovers) {
  if (auto learned = learn_last_runs(); !learned) return learned;
  recovered_ = true;
  auto running = parts_.journal.running_runs();
  if (!running) return running.error();
  Turn turn;
  turn.now = parts_.clock.now();
  if (auto done = parts_.journal.begin(); !done) return done;
  const auto write = [&]() -> Status {
    for (auto& [run, owner] : *running) {
      if (is_alive(owner)) continue;
      const auto ended = end_leftovers(run.id);
      std::string reason = "attempt " + std::to_string(run.attempt) + " was cut off when process " + std::to_string(owner.pid) + " ended";
      if (ended > 0) reason += "; " + counted(ended, "process") + " it had left " + (ended == 1 ? "was" : "were") + " ended";
      say("warn", "run " + run.id + " of '" + run.handler + "': " + reason);
      const auto* its = handler(run.handler);
      if (auto done = interrupt(turn, std::move(run), its, reason); !done) return done;
    }
    if (auto done = recover_held(end_leftovers); !done) return done;
    return recall_breakers(turn.now);
  };
  auto done = write();
  if (done) done = parts_.journal.commit();
  if (!done) {
    parts_.journal.rollback();
    return done;
  }
  committed(turn);
  forget_marks_of_others();
  retire_workspaces();
  return reload_waiting(turn.now);
}

// Those of runs that did not come to give them back and will not go on.
void Engine::retire_workspaces() {
  const auto done = hark::retire_workspaces(workspaces_folder(settings_), [&](const std::string& run_id, bool kept) -> Result<bool> {
    const auto run = parts_.journal.run(run_id);
    if (!run) return run.error();
    return !*run || (is_final((*run)->state) && !kept);
  });
  if (!done) say("warn", "workspaces of old runs were not deleted: " + done.error().text());
}

// By source, since when its throttle counts.
ThrottledSince Engine::throttled_since(WallTime now) const {
  ThrottledSince since;
  for (const auto& source : settings_.sources) {
    if (source.rule.throttle) since.emplace(source.name, now - std::chrono::duration_cast<std::chrono::microseconds>(source.rule.throttle->unit));
  }
  return since;
}

// The throttles begin anew, with the starts that the journal knows of.
Status Engine::recall_starts(Now now) {
  queue_.set_throttles(throttles_of(settings_));
  const auto since = throttled_since(now.wall);
  if (since.empty()) return {};
  return parts_.journal.each_start(since, [&](const WaitingRun& run, WallTime began) {
    queue_.count_start(run, now.steady - std::max(now.wall - began, WallTime::duration::zero()));
  });
}

Status Engine::recall_breakers(Now now) {
  const auto kept = parts_.journal.breakers();
  if (!kept) return kept.error();
  for (const auto& each : *kept) {
    const auto* its = handler(each.handler);
    if (its == nullptr || its->breaker.failures == 0) {
      if (auto done = parts_.journal.set_breaker({each.handler, 0, {}}); !done) return done;
      continue;
    }
    auto& breaker = breakers_.try_emplace(each.handler, its->breaker.failures, its->breaker.cooldown).first->second;
    breaker.recall(each.failures, each.open_until ? std::optional(now.steady + (*each.open_until - now.wall)) : std::nullopt, now.steady);
    apply_breaker(each.handler, breaker);
  }
  return {};
}

// Fills debounces and queue from the journal.
Status Engine::reload_waiting(Now now) {
  auto paused = parts_.journal.paused();
  if (!paused) return paused.error();
  queue_.set_paused({paused->begin(), paused->end()});
  halted_ = queue_.paused_by_name().contains(std::string(kHalted));
  const auto sessions = parts_.journal.paused_sessions();
  if (!sessions) return sessions.error();
  paused_sessions_ = {sessions->begin(), sessions->end()};
  router_.forget_held();
  waits_.clear();
  if (auto read = read_waits(); !read) return read;  // before the queue: they keep their keys
  auto held = reload_held();
  auto routed = held ? route_unrouted(now) : held;
  // Also what was routed just now stands in the journal; where that failed, what the queue has of it does not.
  auto read = refill_queue(now, reports_);
  schedule_turn();
  return routed ? read : routed;
}

// `reports`: of attempts whose end is not written yet. They keep their keys, as those do that are under way.
Status Engine::refill_queue(Now now, const std::deque<Report>& reports) {
  queue_.clear();
  set_aside_.clear();  // they come to their turn again
  if (auto done = recall_starts(now); !done) return done;
  for (const auto& run : executor_.running()) queue_.keep_key(run.handler, run.key);
  for (const auto& [sequence, waiting] : waits_) queue_.keep_key(waiting.kept.handler, waiting.kept.key);
  for (const auto& report : reports) {
    if (const auto* ended = std::get_if<RunReport>(&report); ended != nullptr && ended->ended) queue_.keep_key(ended->run.handler, ended->run.key);
  }
  Elsewhere elsewhere(owner_);
  return parts_.journal.each_waiting_run(now.wall, [&](const WaitingRun& waiting, const Owner& owner) {
    if (!elsewhere(owner)) queue_.push(waiting, now);
  });
}

Status Engine::route_unrouted(Now now) {
  auto waiting = parts_.journal.unrouted_events();
  if (!waiting) return waiting.error();
  if (waiting->empty()) return {};
  Turn turn;
  turn.now = now;
  auto done = parts_.journal.begin();
  for (const auto& [event, gathering] : *waiting) {
    if (done) done = route(turn, event, {.only = gathering});
  }
  if (done) done = parts_.journal.commit();
  if (!done) {
    parts_.journal.rollback();
    const auto held = reload_held();  // without what was held just now
    return held ? done : held;
  }
  for (const auto& notice : turn.notices) parts_.emitter.emit(notice);
  return {};
}

}  // namespace hark
