// One attempt of one step: what it is given. Each kind of step is a pair of functions in a file of its own: render() shows it for a dry run,
// attempt() acts and returns what the attempt left: state, exit code, outputs, error (none yet for timed_out and cancelled); the rest of
// the StepResult is the pipeline's.
#pragma once

#include <optional>
#include <string>

#include "core/mask.h"
#include "core/run.h"
#include "handlers/handler.h"
#include "handlers/pipeline.h"
#include "handlers/scope.h"

namespace hark {

struct StepCall {
  const Handler& handler;
  const StepOptions& step;
  const std::string& name;             // the step's; within a recipe and of a list longer than that: "recipe.step", "step.3"
  const RunContext& context;
  const PipelineTools& tools;
  Scope& scope;
  int iteration = 1;
  const std::string& folder;           // where it works: absolute
  std::stop_token stop;
  std::optional<SteadyTime> deadline;
};

// For whom it calls: of its own span, or, where none is recorded, what its event came with. Empty: there is none.
std::string traceparent_of(const StepCall& call);

// A step that could not even be put together: no attempt will do better.
StepResult failed_for_good(const Error& error);

// Of a call that came to nothing: it was cancelled, ran out of its time, or failed.
StepState state_of_failure(const StepCall& call);

// Of the secrets of now.
Mask mask_of(const PipelineTools& tools);

// An error as a row keeps it: masked, one line, not too long.
std::string kept_error(std::string error, const PipelineTools& tools);

// What a step says as a command's output, masked: the first bytes with the run, the whole in a file where that is not all.
void keep_output(std::string whole, const StepCall& call, StepResult& result);

// What a step printed, up to limits::kStepJson, also where that is in a file. An Error: it is larger, or cannot be read.
Result<std::string> whole_output(const StepResult& result);

// Stays the same over all attempts of a step, and over all runs of an event through a handler; each iteration has another.
std::string idempotency_key(const StepCall& call);

}  // namespace hark
