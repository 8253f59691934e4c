// The real runner: pipelines on worker threads, reports back through the loop.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "executor/runner.h"
#include "platform/loop.h"
#include "platform/workers.h"

namespace hark {

class PoolRunner final : public Runner {
 public:
  PoolRunner(Loop& loop, std::size_t threads, PipelineTools tools, RunReports reports);
  ~PoolRunner() override;  // waits for what runs; nothing is reported from then on

  void start(Assignment assignment) override;
  void collect() override { shared_->collect(); }
  void set_threads(std::size_t most) { workers_.set_limit(most); }

 private:
  struct Shared {
    RunReports reports;
    bool open = true;  // loop thread only: false once the runner is going

    void report(Loop& loop, std::shared_ptr<Shared> self, std::function<void()> tell);  // any thread
    void collect();

   private:
    std::atomic<bool> any_ = false;  // so that nobody takes the lock for nothing
    std::mutex mutex_;
    std::vector<std::function<void()>> told_;  // in order
  };
  Loop& loop_;
  PipelineTools tools_;
  std::shared_ptr<Shared> shared_;
  Workers workers_;
};

}  // namespace hark
