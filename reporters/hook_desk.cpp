#include "reporters/hook_desk.h"

#include <utility>

#include "platform/loop.h"

namespace hark {

std::vector<std::string> hook_marks(const std::string& asker) {
  std::vector<std::string> marks;
  for (std::size_t thread = 0; thread < limits::kHookThreads; ++thread) marks.push_back("hook-" + asker + "-" + std::to_string(thread));
  return marks;
}

RealHookDesk::RealHookDesk(Loop& loop, HookTools tools, std::string asker) : loop_(loop), tools_(tools), marks_(hook_marks(asker)) {}

RealHookDesk::~RealHookDesk() { stop_.request_stop(); }

std::string RealHookDesk::take_mark() {
  const std::lock_guard lock(mutex_);
  auto mark = std::move(marks_.back());  // there are as many as threads
  marks_.pop_back();
  return mark;
}

void RealHookDesk::give_back(std::string mark) {
  const std::lock_guard lock(mutex_);
  marks_.push_back(std::move(mark));
}

void RealHookDesk::ask(HookPtr hook, lifecycle::Any about, WallTime time, Answered answered) {
  threads_.post([this, hook = std::move(hook), about = std::move(about), time, answered = std::move(answered)]() mutable {
    if (stop_.stop_requested()) return;
    auto mark = take_mark();
    auto answer = hark::ask(*hook, about, time, tools_, mark, stop_.get_token());
    give_back(std::move(mark));
    if (stop_.stop_requested()) return;  // it was cut off, which is no answer: it is asked again
    loop_.post([answer = std::move(answer), answered = std::move(answered)] { answered(answer); });
  });
}

}  // namespace hark
