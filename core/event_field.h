// The fields of an event by name, as filters and templates write them. Pure.
#pragma once

#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/event.h"
#include "core/result.h"

namespace hark {

// `event` (the whole event), `event.type`, `event.data.a.b`, `payload`, `payload.a.b`; without such a prefix the envelope first
// (`type`, `subject`, `context.query.a`, ...), then the data. An attribute that is empty is not there, so that an unprefixed name goes on to the
// data: write `event.topic` where the data must not answer for the envelope. nullptr: there is no such field.
// What does not stand in the data is put into `scratch`; the pointer is good until the next call with the same `scratch`, and as
// long as the event lives.
const nlohmann::json* event_field(const Event& event, std::string_view field, nlohmann::json& scratch);

// An Error for `event.x` where no event has an attribute x, with the nearest one that it has. Other names may be in the data.
Status check_event_field(std::string_view field);

// Walks "a.b.0.c" into a value: keys of objects, numbers of lists. nullptr when something on the way is not there.
const nlohmann::json* json_at(const nlohmann::json& value, std::string_view dotted_path);

}  // namespace hark
