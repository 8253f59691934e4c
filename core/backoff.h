// How long to wait before attempt n + 1: doubling from `first`, at most `max`, with a share of jitter drawn by the caller.
#pragma once

#include "core/time.h"

namespace hark {

struct Backoff {
  Duration first = std::chrono::seconds(1);
  Duration max = std::chrono::minutes(1);

  // After `failures` (1, 2, ...) attempts that failed. `jitter` in [0, 1): 0 gives the shortest, half of the full pause.
  Duration pause(int failures, double jitter) const;
};

}  // namespace hark
