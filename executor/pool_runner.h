// The real runner: pipelines on worker threads, reports back through the loop.
#pragma once

#include <memory>

#include "executor/runner.h"
#include "platform/loop.h"
#include "platform/workers.h"

namespace hark {

class PoolRunner final : public Runner {
 public:
  PoolRunner(Loop& loop, std::size_t threads, PipelineTools tools, RunReports reports);
  ~PoolRunner() override;  // waits for what runs; nothing is reported from then on

  void start(Assignment assignment) override;
  void set_threads(std::size_t most) { workers_.set_limit(most); }

 private:
  struct Shared {
    RunReports reports;
    bool open = true;  // loop thread only: false once the runner is going
  };
  Loop& loop_;
  PipelineTools tools_;
  std::shared_ptr<Shared> shared_;
  Workers workers_;
};

}  // namespace hark
