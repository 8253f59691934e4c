// What `hark --version` says.
#pragma once

namespace hark {
const char* version();
}
