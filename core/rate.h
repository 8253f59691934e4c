// So many within a unit of time, "100/s", and who keeps count of it. Pure: whoever asks brings the time. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/limits.h"
#include "core/result.h"
#include "core/time.h"

namespace hark {

struct Rate {
  // COUNT/UNIT with s, m, h or d as the unit. The error names what is wrong with `text` and what was expected.
  static Result<Rate> parse(std::string_view text, std::int64_t most = limits::kRateCount);

  std::int64_t count = 1;                  // 1 to `most` of parse()
  Duration unit = std::chrono::seconds(1);  // of the four above

  friend bool operator==(const Rate&, const Rate&) = default;
};
std::string to_string(const Rate& rate);

// Lets `rate.count` through at once and from then on one every unit / count (the generic cell rate algorithm: a token bucket kept
// as one time). No unit of time, wherever it begins, sees more than twice the count.
class RateLimiter {
 public:
  explicit RateLimiter(const Rate& rate) : interval_(rate.unit / rate.count), burst_(interval_ * rate.count) {}

  // Zero: let through, and counted. Else: not counted, and nothing gets through before this has passed.
  Duration take(SteadyTime now);

 private:
  Duration interval_;
  Duration burst_;
  SteadyTime used_up_to_ = SteadyTime::min();  // never more than burst_ ahead of now
};

}  // namespace hark
