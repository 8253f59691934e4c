// Hexadecimal digits. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hark {

int hex_value(char digit);  // what it stands for; -1: it is none

std::string to_hex(std::string_view bytes);  // lower case
std::optional<std::string> from_hex(std::string_view text);  // in any case; nullopt: it is none

}  // namespace hark
