// Which start of the machine this is: random(4), /proc/sys/kernel/random/boot_id. Any thread.
#pragma once

#include <string>

namespace hark {

std::string boot_id();  // empty: the system does not say

}  // namespace hark
