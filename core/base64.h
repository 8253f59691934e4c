// Base64 as RFC 4648, section 4 has it: the standard alphabet, padded. For bytes that JSON cannot hold. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hark {

std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);  // nullopt: it is none

}  // namespace hark
