#include "reporters/hooks.h"

#include <utility>

#include "core/printable.h"
#include "platform/clock.h"

namespace hark {

Hooks::Hooks(HookTools tools, std::string asker, Publish publish, Failed failed)
    : tools_(tools), asker_(std::move(asker)), publish_(std::move(publish)), failed_(std::move(failed)) {}

Hooks::~Hooks() {
  {
    std::unique_lock lock(mutex_);
    done_.wait_for(lock, limits::kHooksAtEnd, [this] { return lines_.empty(); });
  }
  stop_.request_stop();
}

void Hooks::use(std::vector<HookPtr> hooks) { hooks_ = std::move(hooks); }

std::uint64_t Hooks::left_out() const {
  const std::lock_guard lock(mutex_);
  return left_out_;
}

void Hooks::operator()(const lifecycle::Any& any) {
  const bool was_asked = can_be_vetoed(lifecycle::name(any));  // who can answer
  for (const auto& hook : hooks_) {
    if ((hook->answers() && was_asked) || std::holds_alternative<Hook::Skip>(hook->action) || !hook->wants(any)) continue;
    if (hook->answers()) {
      add(hook, any);
    } else {
      publish_(hook, any);
    }
  }
}

void Hooks::add(const HookPtr& hook, const lifecycle::Any& any) {
  {
    const std::lock_guard lock(mutex_);
    const auto [line, first] = lines_.try_emplace(hook->name);
    auto& waiting = line->second.waiting;
    if (waiting.size() >= limits::kHookBacklog) {
      ++line->second.left_out;
      ++left_out_;
      return;
    }
    waiting.push_back({hook, any, tools_.clock.now().wall});
    if (!first) return;
  }
  threads_.post([this, name = hook->name] { tell_those_of(name); });
}

void Hooks::tell_those_of(const std::string& name) {
  std::unique_lock lock(mutex_);
  for (auto& line = lines_.at(name); !line.waiting.empty();) {
    const auto next = std::move(line.waiting.front());
    line.waiting.pop_front();
    lock.unlock();
    Status done;
    if (!stop_.stop_requested()) done = tell(*next.hook, next.any, next.time, tools_, "hook-" + asker_ + "-" + name, stop_.get_token());
    lock.lock();
    const auto left_out = std::exchange(line.left_out, 0);
    lock.unlock();
    if (!stop_.stop_requested()) report(name, done, left_out);
    lock.lock();
  }
  lines_.erase(name);
  lock.unlock();
  done_.notify_all();
}

void Hooks::report(const std::string& hook, const Status& done, std::uint64_t left_out) {
  {
    const std::lock_guard lock(mutex_);
    if (done && left_out == 0) {
      failing_.erase(hook);
      return;
    }
    if (!failing_.insert(hook).second) return;
  }
  if (!done) return failed_(hook, done.error());
  failed_(hook, {"it does not keep up: it was not told of " + counted(left_out, "lifecycle event"), "let its command or server answer sooner, or narrow its `on` and `where`"});
}

}  // namespace hark
