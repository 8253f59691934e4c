#include "core/backoff.h"

#include <algorithm>

namespace hark {

Duration Backoff::pause(int failures, double jitter) const {
  auto full = std::min(first, max);
  for (int i = 1; i < failures && full < max; ++i) full = full > max / 2 ? max : full * 2;
  const auto half = full / 2;
  return half + Duration(Duration::rep(double(half.count()) * jitter));
}

}  // namespace hark
