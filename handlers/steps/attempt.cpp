#include "handlers/steps/attempt.h"

namespace hark {

StepAttempt failed_for_good(const Error& error) {
  StepAttempt attempt;
  attempt.result.state = StepState::failed;
  attempt.result.error = error.text();
  attempt.for_good = true;
  return attempt;
}

std::string idempotency_key(const Handler& handler, const StepOptions& step, const RunContext& context) {
  return context.event->id + "/" + handler.name + "/" + step.name;
}

}  // namespace hark
