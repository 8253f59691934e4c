// Where hooks are asked about events that wait for their answer: on a few threads, in the order of the questions, never on the loop.
// Loop thread only; the answer comes back on the loop, exactly once, and never from within ask().
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "core/limits.h"
#include "platform/workers.h"
#include "reporters/hook_call.h"

namespace hark {

class Loop;

class HookDesk {
 public:
  using Answered = std::function<void(Result<HookAnswer>)>;
  virtual ~HookDesk() = default;
  virtual void ask(HookPtr hook, lifecycle::Any about, WallTime time, Answered answered) = 0;
};

class RealHookDesk final : public HookDesk {
 public:
  // `asker`: of this process; it opens the marks of what it starts.
  RealHookDesk(Loop& loop, HookTools tools, std::string asker);
  ~RealHookDesk() override;  // ends what is under way; what is not answered by then never is

  void ask(HookPtr hook, lifecycle::Any about, WallTime time, Answered answered) override;

 private:
  std::string take_mark();
  void give_back(std::string mark);

  Loop& loop_;
  const HookTools tools_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::vector<std::string> marks_;  // that nobody uses just now; guarded by mutex_
  Workers threads_{"hark-ask", limits::kHookThreads};
};

// What a desk of that asker marks its commands with: what one that died left is found by these.
std::vector<std::string> hook_marks(const std::string& asker);

}  // namespace hark
