#include "handlers/retry.h"

#include <algorithm>
#include <cstdint>
#include <functional>

#include "core/limits.h"

namespace hark {
namespace {

// In [0, 1): splitmix64.
double draw(const std::string& run_id, int attempt) {
  std::uint64_t x = std::hash<std::string>{}(run_id) + static_cast<std::uint64_t>(attempt) * 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1.0p-53;
}

bool contains(const std::vector<int>& list, int wanted) { return std::find(list.begin(), list.end(), wanted) != list.end(); }

bool worth_it(const Retry& retry, const StepResult& result) {
  if (!result.exit_code) return true;  // it did not even begin: no process, no connection
  const int code = *result.exit_code;
  if (!result.is_status) return retry.exit_codes.empty() || contains(retry.exit_codes, code);
  if (!retry.statuses.empty()) return contains(retry.statuses, code);
  return code == 408 || code == 425 || code == 429 || code >= 500;
}

}  // namespace

bool try_again(const Retry& retry, const StepResult& result, int failures) {
  if (failures >= retry.attempts || result.for_good) return false;
  if (result.state == StepState::timed_out) return retry.timeouts;
  return result.state == StepState::failed && worth_it(retry, result);
}

Duration pause_before_retry(const Retry& retry, const StepResult& result, const std::string& run_id, int failures) {
  const auto pause = retry.backoff.pause(failures, draw(run_id, failures));
  return result.retry_after ? std::max(pause, std::min<Duration>(*result.retry_after, limits::kRetryAfter)) : pause;
}

}  // namespace hark
