#include <utility>

#include "core/printable.h"
#include "daemon/engine_turn.h"
#include "platform/clock.h"

namespace hark {

Status Engine::learn_last_runs() {
  auto successes = parts_.journal.last_successes();
  if (!successes) return successes.error();
  for (const auto& [handler, time] : *successes) {
    auto& known = last_run_.handlers[handler];
    if (!known.last_success || *known.last_success < time) known.last_success = time;
    if (!known.last_run || *known.last_run < time) known.last_run = time;
  }
  return {};
}

Status Engine::recover(const std::function<std::size_t(const std::string& run_id)>& end_leftovers) {
  if (auto learned = learn_last_runs(); !learned) return learned;
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
    return {};
  };
  auto done = write();
  if (done) done = parts_.journal.commit();
  if (!done) {
    parts_.journal.rollback();
    return done;
  }
  committed(turn);
  forget_marks_of_others();
  return reload_waiting(turn.now);
}

// Fills debounces and queue from the journal.
Status Engine::reload_waiting(Now now) {
  auto paused = parts_.journal.paused();
  if (!paused) return paused.error();
  queue_.set_paused({paused->begin(), paused->end()});
  router_.forget_held();
  auto routed = route_unrouted(now);
  // Also what was routed just now stands in the journal; where that failed, what the queue has of it does not.
  queue_.clear();
  // What runs, or has ended without it being written yet, keeps its key.
  for (const auto& run : executor_.running()) queue_.keep_key(run.handler, run.key);
  for (const auto& report : reports_) {
    if (const auto* ended = std::get_if<RunReport>(&report); ended != nullptr && ended->ended) queue_.keep_key(ended->run.handler, ended->run.key);
  }
  Owner last;
  bool last_lives = false;
  const auto read = parts_.journal.each_waiting_run(now.wall, [&](const WaitingRun& waiting, const Owner& owner) {
    if (owner.pid != last.pid || owner.start_time != last.start_time || owner.boot_id != last.boot_id) {
      last = owner;
      last_lives = owner.pid != owner_.pid && is_alive(owner);
    }
    if (!last_lives) queue_.push(waiting, now);  // else another process's own: `hark event` beside the daemon
  });
  if (queue_.size() > 0 || router_.held() > 0) schedule_turn();
  return routed ? read : routed;
}

Status Engine::route_unrouted(Now now) {
  auto waiting = parts_.journal.unrouted_events();
  if (!waiting) return waiting.error();
  if (waiting->empty()) return {};
  Turn turn;
  turn.now = now;
  auto done = parts_.journal.begin();
  for (const auto& event : *waiting) {
    if (done) done = store(turn, router_.route(event, {}, now), {event});
  }
  if (done) done = parts_.journal.commit();
  if (!done) {
    parts_.journal.rollback();
    return done;
  }
  for (const auto& notice : turn.notices) parts_.emitter.emit(notice);
  return {};
}

}  // namespace hark
