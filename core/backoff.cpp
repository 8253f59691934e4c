#include "core/backoff.h"

#include <algorithm>

namespace hark {

Duration Backoff::pause(int failures, double draw) const {
  auto full = std::min(first, max);
  for (int i = 1; i < failures && full < max; ++i) full = full > max / 2 ? max : full * 2;
  const auto drawn = Duration(Duration::rep(double(full.count()) * jitter));
  return full - drawn + Duration(Duration::rep(double(drawn.count()) * draw));
}

}  // namespace hark
