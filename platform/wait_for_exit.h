// Waits for another process, which need not be a child, to be gone.
#pragma once

#include "core/result.h"

namespace hark {

// Through a pidfd (pidfd_open(2)): no polling, no confusion with a reused pid. Fine when it is gone already.
Status wait_for_exit(int pid);

}  // namespace hark
