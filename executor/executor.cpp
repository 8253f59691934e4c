#include "executor/executor.h"

#include <utility>

namespace hark {

Executor::Executor(RunQueue& queue, Journal& journal, Owner owner, Handlers handlers)
    : queue_(queue), journal_(journal), owner_(std::move(owner)), handlers_(std::move(handlers)) {
  for (const auto& [name, handler] : handlers_) queue_.slots().set_handler_cap(name, handler->max_concurrent);
}

Result<Executor::Plan> Executor::plan(Now now, const LastSuccess& last_success) {
  Plan plan;
  while (auto ready = queue_.take()) {
    auto planned = prepare(std::move(*ready), now, last_success, plan.failed);
    if (!planned) return planned.error();
    if (*planned) plan.start.push_back(std::move(**planned));
  }
  return plan;
}

Result<std::optional<Executor::Planned>> Executor::prepare(RunQueue::Ready ready, Now now, const LastSuccess& last_success,
                                                           std::vector<Run>& failed) {
  auto& run = ready.waiting.run;
  const auto fail = [&](std::string why) -> Result<std::optional<Planned>> {
    run.state = RunState::failed;
    run.finished = now.wall;
    run.error = std::move(why);
    if (auto written = journal_.update_run(run, owner_); !written) return written.error();
    failed.push_back(std::move(run));
    return std::optional<Planned>{};
  };

  const auto handler = handlers_.find(run.handler);
  if (handler == handlers_.end()) return fail("handler '" + run.handler + "' is not in the configuration any more");
  auto event = std::move(ready.waiting.event);
  if (!event) {
    auto read = journal_.event(run.event_id);
    if (!read) return read.error();
    if (!*read) return fail("its event is not in the journal any more");
    event = std::make_shared<const Event>(std::move(**read));
  }
  run.state = RunState::running;
  run.started = now.wall;
  if (auto written = journal_.update_run(run, owner_); !written) return written.error();
  Planned planned;
  planned.slot = std::move(ready.slot);
  planned.assignment.handler = handler->second;
  planned.assignment.last_run = last_success(run.handler);
  planned.assignment.run = std::move(run);
  planned.assignment.event = std::move(event);
  return std::optional<Planned>(std::move(planned));
}

void Executor::launch(std::vector<Planned> planned, Runner& runner) {
  for (auto& one : planned) {
    Active active{one.assignment.run, std::move(one.slot), std::stop_source{}};
    one.assignment.stop = active.stop.get_token();
    active_.emplace(active.run.id, std::move(active));
    runner.start(std::move(one.assignment));
  }
}

void Executor::finished(const std::string& run_id) { active_.erase(run_id); }

bool Executor::cancel(const std::string& run_id) {
  const auto found = active_.find(run_id);
  if (found == active_.end()) return false;
  found->second.stop.request_stop();
  return true;
}

void Executor::cancel_all() {
  for (auto& [id, active] : active_) active.stop.request_stop();
}

std::vector<Run> Executor::running() const {
  std::vector<Run> runs;
  for (const auto& [id, active] : active_) runs.push_back(active.run);
  return runs;
}

}  // namespace hark
