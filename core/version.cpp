#include "core/version.h"

namespace hark {
const char* version() { return HARK_VERSION; }
}  // namespace hark
