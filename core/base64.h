// Base64 as RFC 4648 has it: in section 4 the standard alphabet, padded, for bytes that JSON cannot hold; in section 5 the one that
// addresses and tokens hold, not padded (RFC 7515, 2). Each text of bytes is the only one of them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hark {

std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);  // nullopt: it is none
std::string to_base64url(std::string_view bytes);
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace hark
