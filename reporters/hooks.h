// Tells hooks of lifecycle events that have happened: their commands and requests on a few threads, those of one hook in order, what is to be
// published through the engine. Nothing waits for them; one that does not keep up misses the newest, which are counted.
//
// Not hooks.h's: hooks that are asked before an event goes on (reporters/hook_desk.h). use() and operator() on the loop; `failed` is called
// on any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "core/lifecycle.h"
#include "core/limits.h"
#include "platform/workers.h"
#include "reporters/hook_call.h"

namespace hark {

class Hooks {
 public:
  // On the loop, within the telling of `any`.
  using Publish = std::function<void(const HookPtr& hook, const lifecycle::Any& any)>;
  // Said of the first failure in a row, for people; nothing of those that follow, so that a hook on what is said here does not go in circles.
  using Failed = std::function<void(const std::string& hook, const Error& error)>;

  Hooks(HookTools tools, std::string asker, Publish publish, Failed failed);
  ~Hooks();  // what waits gets a moment, what is left then is given up

  void use(std::vector<HookPtr> hooks);  // from the next event on
  void operator()(const lifecycle::Any& any);
  std::uint64_t left_out() const;  // so far, of all hooks; any thread

 private:
  struct Told {
    HookPtr hook;
    lifecycle::Any any;
    WallTime time;
  };
  struct Line {
    std::deque<Told> waiting;
    std::uint64_t left_out = 0;  // since the last one was told
  };
  void add(const HookPtr& hook, const lifecycle::Any& any);
  void tell_those_of(const std::string& name);
  void report(const std::string& hook, const Status& done, std::uint64_t left_out);

  const HookTools tools_;
  const std::string asker_;
  const Publish publish_;
  const Failed failed_;
  std::vector<HookPtr> hooks_;
  std::stop_source stop_;
  mutable std::mutex mutex_;
  std::condition_variable done_;
  std::map<std::string, Line> lines_;   // by hook that a thread is at; guarded by mutex_
  std::set<std::string> failing_;       // guarded by mutex_
  std::uint64_t left_out_ = 0;          // guarded by mutex_
  Workers threads_{"hark-hooks", limits::kHookThreads};
};

}  // namespace hark
