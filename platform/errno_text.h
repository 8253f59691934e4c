// What an errno(3) value means, in words. Any thread, unlike strerror(3).
#pragma once

#include <string>
#include <system_error>

namespace hark {

inline std::string errno_text(int number) { return std::generic_category().message(number); }

}  // namespace hark
