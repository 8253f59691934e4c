#include <utility>

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
  const auto now = parts_.clock.now();
  if (auto learned = learn_last_runs(); !learned) return learned;

  auto unfinished = parts_.journal.unfinished_runs();
  if (!unfinished) return unfinished.error();
  if (auto done = parts_.journal.begin(); !done) return done;
  const auto write = [&]() -> Status {
    for (auto& [run, owner] : *unfinished) {
      if (run.state != RunState::running || is_alive(owner)) continue;
      const auto ended = end_leftovers(run.id);
      std::string reason = "attempt " + std::to_string(run.attempt) + " was cut off when process " + std::to_string(owner.pid) + " ended";
      if (ended > 0) reason += "; " + std::to_string(ended) + " processes it had left were ended";
      say("warn", "run " + run.id + " of '" + run.handler + "': " + reason);
      run.state = RunState::queued;
      run.attempt += 1;
      run.started.reset();
      if (auto done = parts_.journal.update_run(run, owner_); !done) return done;
      if (auto done = parts_.journal.add_decision({run.event_sequence, now.wall, Stage::executor, Verdict::held, run.handler, reason}); !done) return done;
    }
    return {};
  };
  auto done = write();
  if (done) done = parts_.journal.commit();
  if (!done) {
    parts_.journal.rollback();
    return done;
  }
  return reload_waiting(now);
}

// Fills queue and debounces from the journal.
Status Engine::reload_waiting(Now now) {
  queue_.clear();
  router_.forget_held();
  auto runs = parts_.journal.unfinished_runs();
  if (!runs) return runs.error();
  for (auto& [run, owner] : *runs) {
    if (run.state != RunState::queued) continue;
    if (owner.pid != owner_.pid && is_alive(owner)) continue;  // another process's own: `hark event` beside the daemon
    queue_.push({std::move(run), nullptr});
  }
  auto waiting = parts_.journal.unrouted_events();
  if (!waiting) return waiting.error();
  if (waiting->empty()) {
    if (queue_.size() > 0) schedule_turn();
    return {};
  }
  if (auto done = parts_.journal.begin(); !done) return done;
  Turn turn;
  turn.now = now;
  const auto route = [&]() -> Status {
    for (const auto& event : *waiting) {
      const auto routed = router_.route(event, {}, now);
      if (auto done = store(turn, routed, {event}); !done) return done;
    }
    return {};
  };
  auto done = route();
  if (done) done = parts_.journal.commit();
  if (!done) {
    parts_.journal.rollback();
    return done;
  }
  for (const auto& notice : turn.notices) parts_.emitter.emit(notice);
  schedule_turn();
  return {};
}

}  // namespace hark
