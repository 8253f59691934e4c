// How long to wait before attempt n + 1: doubling from `first`, at most `max`; a share of it is drawn by the caller.
#pragma once

#include "core/time.h"

namespace hark {

struct Backoff {
  Duration first = std::chrono::seconds(1);
  Duration max = std::chrono::minutes(1);
  double jitter = 0.5;  // the share that is drawn: 0 none, 1 the whole pause

  // After `failures` (1, 2, ...) attempts that failed. `draw` in [0, 1): 0 gives the shortest pause.
  Duration pause(int failures, double draw) const;
  friend bool operator==(const Backoff&, const Backoff&) = default;
};

}  // namespace hark
