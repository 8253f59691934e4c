// Carries out lists of steps, one after the other, on the worker thread of their run, and keeps what they leave in the run. Private to the
// pipeline, which says what comes when.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/run.h"
#include "handlers/handler.h"
#include "handlers/pipeline.h"
#include "handlers/scope.h"

namespace hark {

class StepRunner {
 public:
  StepRunner(const Handler& handler, const RunContext& context, const PipelineTools& tools);

  Run& run() { return run_; }
  bool going_on() const { return run_.state == RunState::running; }
  bool waits() const { return run_.state == RunState::waiting; }  // for an event: it goes on later, from its rows
  void end(RunState state, std::string why);  // the first who says so is the cause

  // From now on steps work in this folder, and see this iteration's number and feedback.
  void set_folder(std::string folder);
  Scope& scope() { return scope_; }
  void begin_iteration(int number, std::string feedback);

  // The steps in order, until one ends the run; from there on those that run always.
  void perform(const std::vector<StepOptions>& steps, StepPart part);

  // Every gate. Which of the run's steps are gates that did not pass; nothing is said of the run, but where its time or its life is over.
  std::vector<std::size_t> check(const std::vector<StepOptions>& gates);

  // Whether everything so far in this iteration was done by an earlier attempt.
  bool replaying() const { return next_carried_ < carried_.size(); }
  Duration since(SteadyTime began) const;
  void tell(lifecycle::Any event) const;

 private:
  // Until when a step may work, and what ends it before.
  struct Bounds {
    std::optional<SteadyTime> until;
    std::stop_token stop;
  };
  Bounds afterwards(const StepOptions& step) const;
  Bounds within(const Bounds& outer, const StepOptions& step) const;
  bool may_go_on(const StepOptions& step);
  bool out_of_time() const;

  // Each leaves one row of the run's steps, behind those of the steps within, and answers its number. nullopt: the run waits for an event.
  using Row = std::optional<std::size_t>;
  Row perform(const StepOptions& step, StepPart part, const Bounds& bounds, bool last);
  Row perform_once(const StepOptions& step, const std::string& name, StepPart part, const Bounds& bounds, bool last);
  Row suspend(const WaitStepOptions& options, const StepOptions& step, const std::string& name, StepPart part, bool last);
  Row perform_each(const StepOptions& step, const std::string& name, StepPart part, const Bounds& bounds, bool last);

  StepResult act(const StepOptions& step, const std::string& name, const Bounds& bounds, Scope& scope) const;  // any thread, with a scope of its own
  StepResult attempt_until_done(const StepOptions& step, const std::string& name, const Bounds& bounds, Scope& scope) const;
  StepResult act_group(const GroupStepOptions& group, const StepOptions& step, const std::string& name, StepPart part, const Bounds& bounds);
  StepResult act_recipe(const GroupStepOptions& group, const std::string& name, StepPart part, const Bounds& bounds);
  StepResult act_parallel(const GroupStepOptions& group, StepPart part, const Bounds& bounds);
  std::optional<std::string> skip_reason(const StepOptions& step, Scope& scope) const;
  void tolerate(const StepOptions& step, StepResult& result) const;

  void announce(const std::string& name);
  bool take_if_next(const std::string& name, StepPart part);
  void note(const StepOptions& step, const StepResult& result);
  std::size_t close(StepResult result, const std::string& name, StepPart part, Now began, bool last);
  std::size_t record(StepResult result, const std::string& name, StepPart part, Now began, bool last);
  void judge(const StepResult& result);

  const Handler& handler_;
  const RunContext& context_;
  const PipelineTools& tools_;
  Run run_;
  std::vector<StepResult> carried_;   // what an earlier attempt has done; from next_carried_ on it is not met yet
  std::size_t next_carried_ = 0;
  Scope scope_;
  std::string folder_;
  int iteration_ = 1;
  std::optional<SteadyTime> deadline_;
  std::string deadline_text_;         // whose it is, and that it is over
  bool begun_ = false;                // the first step goes without saying
};

}  // namespace hark
