#include "executor/executor.h"

#include <utility>

namespace hark {

Executor::Executor(RunQueue& queue, Journal& journal, Owner owner) : queue_(queue), journal_(journal), owner_(std::move(owner)) {}

void Executor::set_handlers(Handlers handlers) {
  handlers_ = std::move(handlers);
  std::map<std::string, int> caps;
  for (const auto& [name, handler] : handlers_) caps[name] = handler->max_concurrent;
  queue_.slots().set_handler_caps(std::move(caps));
}

Result<Executor::Plan> Executor::plan(Now now, const LastSuccess& last_success, const KeepBack& keep_back) {
  Plan plan;
  while (auto ready = queue_.take(now.steady)) {
    auto planned = prepare(std::move(*ready), now, last_success, keep_back, plan);
    if (!planned) return planned.error();
    if (*planned) plan.start.push_back(std::move(**planned));
  }
  return plan;
}

// What the queue knows only the number of is read from the journal.
Result<std::optional<RunQueue::Waiting>> Executor::complete(RunQueue::Ready& ready) {
  if (!ready.known) {
    auto run = journal_.run_at(ready.sequence);
    if (!run) return run.error();
    if (!*run) return std::optional<RunQueue::Waiting>();
    ready.known = RunQueue::Waiting{std::move(**run), nullptr};
  }
  if (!ready.known->event) {
    auto event = journal_.event_at(ready.known->run.event_sequence);
    if (!event) return event.error();
    if (*event) ready.known->event = std::make_shared<const Event>(std::move(**event));
  }
  return std::optional(std::move(*ready.known));
}

// Steps that an earlier attempt was through with, or this one before it waited.
Status Executor::take_up_steps(Run& run) {
  if (run.attempt == 1 && !run.started) return {};
  auto done = journal_.steps(run.sequence, run.attempt);
  if (!done) return done.error();
  run.steps = std::move(*done);
  return {};
}

Result<std::optional<Executor::Planned>> Executor::prepare(RunQueue::Ready ready, Now now, const LastSuccess& last_success,
                                                           const KeepBack& keep_back, Plan& plan) {
  auto waiting = complete(ready);
  if (!waiting) return waiting.error();
  if (!*waiting) return std::optional<Planned>{};
  auto& run = (*waiting)->run;
  auto& event = (*waiting)->event;
  const auto fail = [&](std::string why) {
    run.state = RunState::failed;
    run.finished = now.wall;
    run.error = std::move(why);
    plan.failed.push_back(std::move(run));
    return std::optional<Planned>{};
  };

  const auto handler = handlers_.find(run.handler);
  if (handler == handlers_.end()) return fail("handler '" + run.handler + "' is not in the configuration any more");
  if (!event) return fail("its event is not in the journal any more");
  if (keep_back && keep_back(run)) {
    plan.kept_back.push_back(std::move(**waiting));
    return std::optional<Planned>{};
  }
  if (!run.started && has_expired(*event, now.wall)) {
    fail("its event has expired: it was good for " + to_string(*event->ttl) + " (ttl)");
    plan.failed.back().state = RunState::cancelled;  // nobody wants it any more, so it is nothing to be tried again
    return std::optional<Planned>{};
  }
  if (auto taken = take_up_steps(run); !taken) return taken.error();
  Planned planned;
  run.state = RunState::running;
  planned.resumed = run.started.has_value();
  if (!planned.resumed) run.started = now.wall;
  run.not_before.reset();
  if (auto written = journal_.update_run(run, owner_); !written) return written.error();
  planned.slot = std::move(ready.slot);
  planned.assignment.handler = handler->second;
  planned.assignment.last_run = last_success(run.handler);
  planned.assignment.run = std::move(run);
  planned.assignment.event = std::move(event);
  return std::optional<Planned>(std::move(planned));
}

void Executor::launch(std::vector<Planned> planned, Runner& runner) {
  for (auto& one : planned) {
    Active active{one.assignment.run, one.assignment.handler, one.assignment.event, std::move(one.slot), std::stop_source{}, std::stop_source{}, false, {}};
    one.assignment.stop = active.stop.get_token();
    one.assignment.leave = active.leave.get_token();
    active_.emplace(active.run.id, std::move(active));
    runner.start(std::move(one.assignment));
  }
}

std::optional<Executor::Finished> Executor::finished(const std::string& run_id) {
  auto node = active_.extract(run_id);
  if (node.empty()) return std::nullopt;
  auto& active = node.mapped();
  return Finished{std::move(active.handler), std::move(active.event), active.cancelled, std::move(active.why)};
}

bool Executor::cancel(const std::string& run_id, std::string why) {
  const auto found = active_.find(run_id);
  if (found == active_.end()) return false;
  if (!std::exchange(found->second.cancelled, true)) found->second.why = std::move(why);  // the first who asked is the cause
  found->second.stop.request_stop();
  return true;
}

void Executor::cut_off() {
  for (auto& [id, active] : active_) {
    active.leave.request_stop();  // first: who is asked to end looks whether it is this
    active.stop.request_stop();
  }
}

std::vector<Run> Executor::running() const {
  std::vector<Run> runs;
  for (const auto& [id, active] : active_) runs.push_back(active.run);
  return runs;
}

}  // namespace hark
