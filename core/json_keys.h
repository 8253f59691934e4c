// Keys given twice: RFC 8259 lets a reader choose which of two to believe, so a text that has some says different things to
// different readers. Data of events is refused where it has any. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/payload.h"
#include "core/result.h"

namespace hark {

// A key that the outermost object of `json` has more than once, escapes resolved. `json` must be valid (Payload::parse has seen
// it); this passes over it once and builds nothing.
std::optional<std::string> duplicate_key(std::string_view json);

// The data of an event from outside: Payload::parse, and no key of the outermost object twice.
Result<Payload> parse_event_data(std::string text);

}  // namespace hark
