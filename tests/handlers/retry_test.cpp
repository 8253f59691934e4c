#include <doctest/doctest.h>

#include "core/limits.h"
#include "handlers/retry.h"

using namespace hark;
using namespace std::chrono_literals;

namespace {

StepResult failed(std::optional<int> code) {
  StepResult result;
  result.state = StepState::failed;
  result.exit_code = code;
  return result;
}

StepResult answered(std::optional<int> status) {
  auto result = failed(status);
  result.is_status = true;
  return result;
}

}  // namespace

TEST_CASE("retry: any failure of a command, as often as it may") {
  const Retry retry{3, {1s, 1s}};
  CHECK(try_again(retry, failed(1), 1));
  CHECK(try_again(retry, failed(127), 2));
  CHECK(try_again(retry, failed(std::nullopt), 1));  // it did not even begin
  CHECK_FALSE(try_again(retry, failed(1), 3));
  auto result = failed(1);
  result.for_good = true;
  CHECK_FALSE(try_again(retry, result, 1));
  for (const auto state : {StepState::succeeded, StepState::skipped, StepState::cancelled}) {
    result = failed(1);
    result.state = state;
    CHECK_FALSE(try_again(retry, result, 1));
  }
}

TEST_CASE("retry: of a request's answers those that may be another one next time") {
  const Retry retry{3, {1s, 1s}};
  for (const int status : {408, 425, 429, 500, 503, 599}) CHECK(try_again(retry, answered(status), 1));
  for (const int status : {200, 302, 400, 401, 404, 422}) CHECK_FALSE(try_again(retry, answered(status), 1));
  CHECK(try_again(retry, answered(std::nullopt), 1));
}

TEST_CASE("retry: what is named, and nothing else") {
  Retry retry{3, {1s, 1s}};
  retry.exit_codes = {75};
  retry.statuses = {404};
  CHECK(try_again(retry, failed(75), 1));
  CHECK_FALSE(try_again(retry, failed(1), 1));
  CHECK(try_again(retry, answered(404), 1));
  CHECK_FALSE(try_again(retry, answered(503), 1));
  StepResult late;
  late.state = StepState::timed_out;
  CHECK(try_again(retry, late, 1));
  retry.timeouts = false;
  CHECK_FALSE(try_again(retry, late, 1));
}

TEST_CASE("retry: the pause doubles, is drawn from the run, and is as long as the other side asks") {
  Retry retry{9, {4s, 10s, 0}};
  StepResult result = failed(1);
  CHECK(pause_before_retry(retry, result, "run", 1) == 4s);
  CHECK(pause_before_retry(retry, result, "run", 2) == 8s);
  CHECK(pause_before_retry(retry, result, "run", 3) == 10s);
  retry.backoff.jitter = 1;
  const auto drawn = pause_before_retry(retry, result, "run", 3);
  CHECK(drawn < 10s);
  CHECK(drawn == pause_before_retry(retry, result, "run", 3));
  CHECK(drawn != pause_before_retry(retry, result, "another", 3));
  result.retry_after = 1min;
  CHECK(pause_before_retry(retry, result, "run", 1) == 1min);
  result.retry_after = 240h;
  CHECK(pause_before_retry(retry, result, "run", 1) == limits::kRetryAfter);
  result.retry_after = 1s;
  retry.backoff.jitter = 0;
  CHECK(pause_before_retry(retry, result, "run", 1) == 4s);
}
