#include "handlers/steps/attempt.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "platform/clock.h"
#include "platform/output_file.h"
#include "platform/secrets.h"
#include "platform/trace_context.h"

namespace hark {

StepResult failed_for_good(const Error& error) {
  StepResult result;
  result.state = StepState::failed;
  result.error = error.text();
  result.for_good = true;
  return result;
}

std::string traceparent_of(const StepCall& call) {
  const auto& run = call.context.run;
  const auto& given = call.context.event->traceparent;
  if (!call.tools.traced) return given;
  return traceparent_for(trace_of(given, run.correlation_id), span_of_step(run.id, run.attempt, call.iteration, call.name));
}

StepState state_of_failure(const StepCall& call) {
  if (call.stop.stop_requested()) return StepState::cancelled;
  return call.deadline && call.tools.clock.now().steady >= *call.deadline ? StepState::timed_out : StepState::failed;
}

Mask mask_of(const PipelineTools& tools) { return tools.secrets == nullptr ? Mask() : tools.secrets->mask(); }

std::string kept_error(std::string error, const PipelineTools& tools) { return printable(mask_of(tools).text(std::move(error)), limits::kStepError); }

void keep_output(std::string whole, const StepCall& call, StepResult& result) {
  whole = mask_of(call.tools).text(std::move(whole));
  result.output_bytes = whole.size();
  if (whole.size() > limits::kOutputInMemory) {
    auto file = OutputFile::create(call.scope.output_stem(call.name) + ".out");
    if (file && file->write(whole)) result.output_file = file->path();
    whole.resize(limits::kOutputInMemory);
  }
  result.output = std::move(whole);
}

Result<std::string> whole_output(const StepResult& result) {
  if (result.output_file.empty()) return result.output;
  if (result.output_bytes > limits::kStepJson) return Error{"the output is too large to be read as JSON: more than " + std::to_string(limits::kStepJson) + " bytes", ""};
  std::ifstream file(result.output_file, std::ios::binary);
  std::string whole(std::istreambuf_iterator<char>(file), {});
  if (whole.size() != result.output_bytes) return Error{"the output cannot be read from " + result.output_file, "see whether there is room"};
  return whole;
}

std::string idempotency_key(const StepCall& call) {
  const auto key = call.context.event->id + "/" + call.handler.name + "/" + call.name;
  return call.iteration == 1 ? key : key + "/" + std::to_string(call.iteration);
}

}  // namespace hark
