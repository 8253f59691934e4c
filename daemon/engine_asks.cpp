// What a person asks of runs and handlers: pause, retry, discard, cancel; and why a run waits.
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "daemon/engine_turn.h"
#include "platform/clock.h"

namespace hark {

std::string told(const RunQueue::Throttled& throttled, Now now) {
  std::string text = "throttle: " + to_string(throttled.rate);
  if (throttled.next > now.steady) text += " have started, the next may at " + to_rfc3339(now.wall + std::chrono::ceil<std::chrono::microseconds>(throttled.next - now.steady));
  if (throttled.waiting > 0) text += "; " + counted(throttled.waiting, "other") + (throttled.waiting == 1 ? " is" : " are") + " before it";
  return text;
}

std::string Engine::why_waiting(const Run& run) const {
  const auto now = parts_.clock.now();
  const auto& slots = queue_.slots();
  const auto cap = slots.handler_cap(run.handler);
  if (draining_) return "hark is stopping: it begins at the next start";
  if (journal_fault_) return "the journal cannot be written: " + *journal_fault_;
  if (halted_) return "an emergency stop: nothing begins until `hark daemon resume`";
  if (paused_sessions_.contains(run.correlation_id) && !run.direct) return "session " + run.correlation_id + " is paused by a signal";
  if (queue_.paused("")) return "all handlers are paused (`hark daemon resume`)";
  if (queue_.paused(run.handler)) return "handler '" + run.handler + "' is paused (`hark daemon resume --handler " + run.handler + "`)";
  if (const auto breaker = breakers_.find(run.handler); breaker != breakers_.end() && breaker->second.state() != Breaker::State::closed) {
    const bool open = breaker->second.state() == Breaker::State::open;
    return "the breaker of '" + run.handler + "' is " + (open ? "open" : "half open: one run is tried") + " after " +
           counted(std::size_t(breaker->second.failures()), "failure") + " in a row" +
           (open ? ", until " + to_rfc3339(now.wall + std::chrono::ceil<std::chrono::microseconds>(breaker->second.until() - now.steady)) + " (`hark daemon resume --handler " + run.handler + "` closes it)" : "");
  }
  if (run.not_before && *run.not_before > now.wall) return "not before " + to_rfc3339(*run.not_before) + (run.failures > 0 ? " (retry)" : " (perhaps a circle)");
  if (const auto throttled = queue_.throttled(run, now.steady); throttled && throttled->next > now.steady) return told(*throttled, now);
  if (!slots.any_free()) return "all slots are taken: " + counted(std::size_t(slots.running()), "run") + " under way (max_concurrent_handlers)";
  if (run.key && queue_.busy(run.handler, run.key)) return "others of its key '" + printable(*run.key, limits::kShownValue) + "' are before it";
  if (!run.key && cap > 0 && slots.running(run.handler) >= cap) return "as many of '" + run.handler + "' run as may: " + std::to_string(cap) + " (max_concurrent)";
  return "it is next";
}

void Engine::ask(std::function<Status(Turn&, Status& outcome)> act, Done done) {
  asked_.push_back({std::move(act), std::move(done), {}});
  schedule_turn();
}

void Engine::ask_about(const std::string& run_id, std::function<Status(Turn&, Run&, Status& outcome)> act, Done done) {
  ask(
      [this, run_id, act = std::move(act)](Turn& turn, Status& outcome) -> Status {
        auto found = parts_.journal.run(run_id);
        if (found && *found) return act(turn, **found, outcome);
        outcome = found ? Error{"no such run", {}} : found.error();
        return {};
      },
      std::move(done));
}

void Engine::keep_subscriber(Subscriber subscriber, Done done) {
  ask([this, subscriber = std::move(subscriber)](Turn&, Status&) { return parts_.journal.set_subscriber(subscriber); }, std::move(done));
}

void Engine::forget_subscriber(const std::string& name, Done done) {
  ask([this, name](Turn&, Status&) { return parts_.journal.delete_subscriber(name); }, std::move(done));
}

void Engine::record(AuditEntry entry, Done done) {
  ask([this, entry = std::move(entry)](Turn&, Status&) { return parts_.journal.add_audit(entry); }, std::move(done));
}

std::uint64_t Engine::taken_from_bus(const std::string& source) const {
  const auto found = taken_from_bus_.find(source);
  return found == taken_from_bus_.end() ? 0 : found->second;
}

void Engine::pause(const std::string& name, Done done) {
  ask(
      [this, name](Turn&, Status&) {
        queue_.pause(name);
        return parts_.journal.set_paused(name, true);
      },
      std::move(done));
}

void Engine::resume(const std::string& name, Done done) {
  ask(
      [this, name](Turn& turn, Status&) {
        queue_.resume(name);
        // Whoever names a handler wants it to run: its breaker begins anew.
        if (breakers_.erase(name) > 0) {
          queue_.set_flow(name, RunQueue::Flow::open);
          if (auto written = parts_.journal.set_breaker({name, 0, {}}); !written) return written;
        }
        if (auto written = parts_.journal.set_paused(name, false); !written || !name.empty() || !halted_) return written;
        return end_halt(turn);
      },
      std::move(done));
}

void Engine::retry(const std::string& run_id, Done done) {
  ask_about(
      run_id,
      [this](Turn& turn, Run& run, Status& outcome) -> Status {
        if (!is_final(run.state)) {
          outcome = Error{"run " + run.id + " is " + std::string(to_string(run.state)) + ": it has not ended", {}};
          return {};
        }
        if (handler(run.handler) == nullptr) {
          outcome = Error{"handler '" + run.handler + "' is not in the configuration", {}};
          return {};
        }
        return begin_again(turn, std::move(run), "a person asked for another one");
      },
      std::move(done));
}

// A run that has ended: another attempt, with as many more as its handler grants.
Status Engine::begin_again(Turn& turn, Run run, const std::string& why) {
  if (auto written = parts_.journal.add_attempt(run.sequence, attempt_of(run)); !written) return written;
  if (auto written = decide(run, turn.now.wall, Verdict::passed, "attempt " + std::to_string(run.attempt) + " ended as " + std::string(to_string(run.state)) + "; " + why); !written) {
    return written;
  }
  begin_next_attempt(run);
  run.failures = 0;
  run.interruptions = 0;
  run.dead_since.reset();
  run.error.clear();
  if (auto written = parts_.journal.update_run(run, owner_); !written) return written;
  auto event = parts_.journal.event_at(run.event_sequence);
  if (!event) return event.error();
  turn.notices.emplace_back(lifecycle::RunRetry{std::make_shared<const Run>(run)});
  queue_.push({std::move(run), *event ? std::make_shared<const Event>(std::move(**event)) : nullptr}, turn.now);
  return {};
}

void Engine::discard(const std::string& run_id, Done done) {
  ask_about(
      run_id,
      [this](Turn& turn, Run& run, Status& outcome) -> Status {
        if (!run.dead_since) {
          outcome = Error{"no such dead letter: it takes the id of a run that stands in them", {}};
          return {};
        }
        run.dead_since.reset();
        if (auto written = parts_.journal.update_run(run, owner_); !written) return written;
        return decide(run, turn.now.wall, Verdict::dropped, "a person took it out of the dead letters");
      },
      std::move(done));
}

void Engine::cancel(const std::string& run_id, Done done) {
  ask_about(
      run_id,
      [this](Turn& turn, Run& run, Status& outcome) -> Status {
        if (executor_.cancel(run.id)) return {};
        if (waits_.contains(run.sequence)) return end_wait(turn, run.sequence, "a person cancelled it while it waited");
        if (!queue_.remove(run) && !take_from_aside(run)) {
          outcome = Error{"run " + run.id + " is not under way: it is " + std::string(to_string(run.state)), {}};
          return {};
        }
        run.state = RunState::cancelled;
        run.finished = turn.now.wall;
        run.error = run.attempt > 1 ? "cancelled before attempt " + std::to_string(run.attempt) + " began" : "cancelled before it began";
        if (auto written = decide(run, turn.now.wall, Verdict::dropped, "a person cancelled it while it waited"); !written) return written;
        run.steps.clear();
        if (auto written = parts_.journal.update_run(run, owner_); !written) return written;
        run_ended(turn, std::move(run));
        return {};
      },
      std::move(done));
}

}  // namespace hark
