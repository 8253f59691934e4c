#include "executor/pool_runner.h"

#include <utility>

namespace hark {

PoolRunner::PoolRunner(Loop& loop, std::size_t threads, PipelineTools tools, RunReports reports)
    : loop_(loop), tools_(std::move(tools)), shared_(std::make_shared<Shared>()), workers_("hark-run", threads) {
  shared_->reports = std::move(reports);
}

PoolRunner::~PoolRunner() { shared_->open = false; }

void PoolRunner::start(Assignment assignment) {
  workers_.post([&loop = loop_, &tools = tools_, shared = shared_, assignment = std::move(assignment)] {
    RunContext context;
    context.run = assignment.run;
    context.event = assignment.event;
    context.last_run = assignment.last_run;
    context.stop = assignment.stop;
    auto reported = assignment.run.steps.size();  // an earlier attempt reported these
    context.step_finished = [&](std::size_t index, const StepResult& step) {
      // The last one goes with the end of its run: one wake-up for both.
      if (!goes_on(step.state) || index + 1 == assignment.handler->steps.size()) return;
      reported = index + 1;
      loop.post([shared, run = assignment.run, index, step] {
        if (shared->open) shared->reports.step_finished(run, index, step);
      });
    };
    auto run = run_pipeline(*assignment.handler, context, tools);
    loop.post([shared, reported, run = std::move(run)]() mutable {
      if (!shared->open) return;
      for (auto index = reported; index < run.steps.size(); ++index) shared->reports.step_finished(run, index, run.steps[index]);
      shared->reports.finished(std::move(run));
    });
  });
}

}  // namespace hark
