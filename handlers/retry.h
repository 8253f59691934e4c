// Whether and when there is another attempt, of a step within its run and of a run as a whole. Pure.
#pragma once

#include <string>

#include "core/run.h"
#include "handlers/handler.h"

namespace hark {

// After an attempt of a step that ended as `result`, the `failures`-th that failed. Where `retry` names no exit codes, any failure of a
// command is worth another attempt; where it names no statuses, of an http step's answers 408, 425, 429 and 5xx are (RFC 9110, 15.5.9;
// RFC 8470; RFC 6585): the others say that the same request will be refused again.
bool try_again(const Retry& retry, const StepResult& result, int failures);

// The pause before the next attempt: the backoff's, or what the other side asked for where that is longer (Retry-After), up to
// limits::kRetryAfter. Drawn from the run's id: runs that failed together do not come back together, and a replay waits the same.
Duration pause_before_retry(const Retry& retry, const StepResult& result, const std::string& run_id, int failures);

}  // namespace hark
