// Sizes as the configuration writes them: "512M", "2G", "100K", "1T", "0", "4096". A suffix is a power of 1024, as in systemd's units. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hark {

std::optional<std::uint64_t> parse_byte_size(std::string_view text);  // nullopt: not one, or beyond 63 bits
std::string byte_size_text(std::uint64_t bytes);                      // the shortest such form that is exact

}  // namespace hark
