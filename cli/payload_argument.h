// The value of --payload: JSON as it stands, @FILE, or - for standard input.
#pragma once

#include <string>

#include "core/result.h"

namespace hark {

// The JSON text, checked; empty for an empty argument.
Result<std::string> read_payload_argument(const std::string& argument);

}  // namespace hark
