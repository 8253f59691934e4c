// What carries out a run. The real one works on threads; a test's records and answers by hand.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <stop_token>

#include "core/run.h"
#include "handlers/handler.h"
#include "handlers/pipeline.h"

namespace hark {

struct Assignment {
  std::shared_ptr<const Handler> handler;
  Run run;
  EventPtr event;
  std::optional<WallTime> last_run;
  std::stop_token stop;
  // Whether the journal holds the run as started: known after the commit of the transaction that says so. Until then the runner may
  // prepare, but not act; on `false` it drops the run without a report.
  std::shared_future<bool> committed;
};

// What comes back. Both are called on the loop thread, each step before the end of its run.
struct RunReports {
  std::function<void(const Run& run, std::size_t index, const StepResult& step)> step_finished;
  std::function<void(Run run)> finished;
};

class Runner {
 public:
  virtual ~Runner() = default;
  virtual void start(Assignment assignment) = 0;  // loop thread; never blocks
};

}  // namespace hark
