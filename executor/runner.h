// What carries out a run. The real one works on threads; a test's records and answers by hand.
#pragma once

#include <functional>
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
  std::stop_token leave;  // pipeline.h has what they mean
};

// What comes back. All are called on the loop thread, in order, the end of a run last.
struct RunReports {
  std::function<void(const Run& run, std::size_t index, const StepResult& step)> step_finished;
  std::function<void(lifecycle::Any)> told;
  std::function<void(Run run)> finished;
};

class Runner {
 public:
  virtual ~Runner() = default;
  virtual void start(Assignment assignment) = 0;  // loop thread; never blocks
  // Reports what has ended by now, ahead of what else waits for the loop. Loop thread; cheap where nothing has.
  virtual void collect() {}
};

}  // namespace hark
