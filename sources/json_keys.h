// Keys given twice: RFC 8259 lets a reader choose which of two to believe, so a signed text that has some says different things
// to different readers.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hark {

// A key that the outermost object of `json` has more than once, escapes resolved. `json` must be valid (Payload::parse has seen
// it); this passes over it once and builds nothing.
std::optional<std::string> duplicate_key(std::string_view json);

}  // namespace hark
