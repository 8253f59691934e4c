#include "executor/pool_runner.h"

#include <thread>
#include <utility>

#include "core/limits.h"
#include "platform/clock.h"

namespace hark {
namespace {

// A schedule is a little ahead of its slot, so that what it starts is on time.
void wait_until_it_happens(const Event& event, Run& run, const Clock& clock) {
  const auto ahead = event.time - clock.now().wall;
  if (ahead <= Duration::zero() || ahead > limits::kSlotAhead) return;
  std::this_thread::sleep_for(ahead);
  run.started = clock.now().wall;
}

}  // namespace

PoolRunner::PoolRunner(Loop& loop, std::size_t threads, PipelineTools tools, RunReports reports)
    : loop_(loop), tools_(std::move(tools)), shared_(std::make_shared<Shared>()), workers_("hark-run", threads) {
  shared_->reports = std::move(reports);
}

PoolRunner::~PoolRunner() { shared_->open = false; }

void PoolRunner::Shared::report(Loop& loop, std::shared_ptr<Shared> self, std::function<void()> tell) {
  {
    std::lock_guard lock(mutex_);
    told_.push_back(std::move(tell));
    if (any_.exchange(true)) return;  // somebody's wake-up is on its way
  }
  loop.post([self = std::move(self)] { self->collect(); });
}

void PoolRunner::Shared::collect() {
  if (!any_.load(std::memory_order_acquire)) return;
  std::vector<std::function<void()>> told;
  {
    std::lock_guard lock(mutex_);
    told.swap(told_);
    any_ = false;
  }
  for (const auto& tell : told) {
    if (open) tell();
  }
}

void PoolRunner::start(Assignment assignment) {
  workers_.post([&loop = loop_, &tools = tools_, shared = shared_, assignment = std::move(assignment)] {
    RunContext context;
    context.run = assignment.run;
    context.event = assignment.event;
    context.last_run = assignment.last_run;
    context.stop = assignment.stop;
    context.leave = assignment.leave;
    // What need not be known at once goes with what comes next: a wake-up less.
    std::vector<std::function<void()>> held;
    std::mutex mutex;  // of it: steps in parallel tell of themselves
    const auto report = [&](std::function<void()> tell, bool at_once) {
      std::lock_guard lock(mutex);
      held.push_back(std::move(tell));
      if (!at_once) return;
      shared->report(loop, shared, [held = std::exchange(held, {})] {
        for (const auto& each : held) each();
      });
    };
    context.step_finished = [&](std::size_t index, const StepResult& step, bool last) {
      report([reports = &shared->reports, run = assignment.run, index, step] { reports->step_finished(run, index, step); }, !last);
    };
    context.tell = [&](lifecycle::Any event) {
      const bool can_wait = std::holds_alternative<lifecycle::IterationComplete>(event);
      report([reports = &shared->reports, event = std::move(event)] { reports->told(event); }, !can_wait);
    };
    if (context.event) wait_until_it_happens(*context.event, context.run, tools.clock);
    auto run = run_pipeline(*assignment.handler, context, tools);
    report([reports = &shared->reports, run = std::move(run)] { reports->finished(run); }, true);
  });
}

}  // namespace hark
