#include "platform/clock.h"

namespace hark {

Now SystemClock::now() const {
  return {std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()), steady_now()};
}

}  // namespace hark
