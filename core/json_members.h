// The outermost members of a JSON object, each with its value's text as it was written: what is only handed on is neither built nor
// written again, and its numbers stay what the sender wrote. Pure; safe from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hark {

struct JsonMember {
  std::string name;       // escapes resolved
  std::string_view text;  // of the value, a part of what was read
};

// In their order, also such as come twice. `json` must be valid (Payload::parse has seen it): it is passed over once. None where it is
// no object.
std::vector<JsonMember> json_members(std::string_view json);

}  // namespace hark
