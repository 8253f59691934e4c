// The executor: what runs now. Takes from the queue what may start, hands it to the runner, and knows how to end it.
//
// Loop thread only. It plans within the engine's transaction and launches after the commit, so that nothing starts that is not written.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.h"
#include "executor/runner.h"
#include "queue/run_queue.h"
#include "state/journal.h"

namespace hark {

using Handlers = std::map<std::string, std::shared_ptr<const Handler>>;

class Executor {
 public:
  Executor(RunQueue& queue, Journal& journal, Owner owner);

  // Those that runs start with from now on, and their caps; what runs keeps its own.
  void set_handlers(Handlers handlers);
  const Handlers& handlers() const { return handlers_; }

  // A run that is about to start: its slot is taken, its row says `running`. Dropping it gives the slot back.
  struct Planned {
    Assignment assignment;
    Slot slot;
    bool resumed = false;  // it goes on after it has waited for an event
  };
  struct Plan {
    std::vector<Planned> start;
    std::vector<RunQueue::Waiting> kept_back;  // were not to start now: they are out of the queue, and keep their keys
    std::vector<Run> failed;  // could not start: their handler is gone from the configuration, their event unreadable. Not written yet
  };
  using LastSuccess = std::function<std::optional<WallTime>(const std::string& handler)>;
  // Inside a transaction. An Error is the journal's: roll back.
  using KeepBack = std::function<bool(const Run& run)>;
  Result<Plan> plan(Now now, const LastSuccess& last_success, const KeepBack& keep_back = {});

  void launch(std::vector<Planned> planned, Runner& runner);

  // The run has ended: its slot is free. nullopt: it was not known to run.
  struct Finished {
    std::shared_ptr<const Handler> handler;  // as it was when the run began
    EventPtr event;
    bool cancelled = false;                  // somebody asked for its end, and got no other answer than that
    std::string why;                         // they did; may be empty
  };
  std::optional<Finished> finished(const std::string& run_id);

  bool cancel(const std::string& run_id, std::string why = {});  // false: it is not running
  void cut_off();  // all that runs, to go on at the next start

  bool is_running(const std::string& run_id) const { return active_.contains(run_id); }
  std::size_t active() const { return active_.size(); }
  std::vector<Run> running() const;

 private:
  struct Active {
    Run run;
    std::shared_ptr<const Handler> handler;
    EventPtr event;
    Slot slot;
    std::stop_source stop;
    std::stop_source leave;
    bool cancelled = false;
    std::string why;
  };

  Result<std::optional<RunQueue::Waiting>> complete(RunQueue::Ready& ready);
  Status take_up_steps(Run& run);
  Result<std::optional<Planned>> prepare(RunQueue::Ready ready, Now now, const LastSuccess& last_success, const KeepBack& keep_back, Plan& plan);

  RunQueue& queue_;
  Journal& journal_;
  const Owner owner_;
  Handlers handlers_;
  std::map<std::string, Active> active_;  // by run id
};

}  // namespace hark
