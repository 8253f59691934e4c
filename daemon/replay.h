// A stored event, once more. Pure.
#pragma once

#include "core/event.h"
#include "core/result.h"

namespace hark {

// A new event with the data and the time of `original`, which begins a story of its own. An Error, with what to do in its place, for an
// event that hark made of others and that its source's rules would take for something else.
Result<Event> replay_of(const Event& original);

}  // namespace hark
