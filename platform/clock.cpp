#include "platform/clock.h"

namespace hark {

Now SystemClock::now() const {
  return {std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()), std::chrono::steady_clock::now()};
}

}  // namespace hark
