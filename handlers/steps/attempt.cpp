#include "handlers/steps/attempt.h"

#include <utility>

#include "core/limits.h"
#include "platform/clock.h"
#include "platform/output_file.h"

namespace hark {

StepResult failed_for_good(const Error& error) {
  StepResult result;
  result.state = StepState::failed;
  result.error = error.text();
  result.for_good = true;
  return result;
}

StepState state_of_failure(const StepCall& call) {
  if (call.stop.stop_requested()) return StepState::cancelled;
  return call.deadline && call.tools.clock.now().steady >= *call.deadline ? StepState::timed_out : StepState::failed;
}

void keep_output(std::string whole, const StepCall& call, StepResult& result) {
  result.output_bytes = whole.size();
  if (whole.size() > limits::kOutputInMemory) {
    auto file = OutputFile::create(call.scope.output_stem(call.name) + ".out");
    if (file && file->write(whole)) result.output_file = file->path();
    whole.resize(limits::kOutputInMemory);
  }
  result.output = std::move(whole);
}

std::string idempotency_key(const StepCall& call) {
  const auto key = call.context.event->id + "/" + call.handler.name + "/" + call.name;
  return call.iteration == 1 ? key : key + "/" + std::to_string(call.iteration);
}

}  // namespace hark
