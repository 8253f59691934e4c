// Standard input, whole: what `-` stands for as an argument.
#pragma once

#include <string>

#include "core/result.h"

namespace hark {

Result<std::string> read_standard_input();  // at most 64 MiB

}  // namespace hark
