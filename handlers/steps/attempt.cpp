#include "handlers/steps/attempt.h"

namespace hark {

StepResult failed_for_good(const Error& error) {
  StepResult result;
  result.state = StepState::failed;
  result.error = error.text();
  result.for_good = true;
  return result;
}

std::string idempotency_key(const Handler& handler, const StepOptions& step, const RunContext& context) {
  return context.event->id + "/" + handler.name + "/" + step.name;
}

}  // namespace hark
