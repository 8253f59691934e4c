// A stored event, once more. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/decision.h"
#include "core/event.h"
#include "core/result.h"
#include "router/router.h"

namespace hark {

// A new event with the data and the time of `original`, which begins a story of its own. An Error, with what to do in its place, for an
// event that hark made of others and that its source's rules would take for something else.
Result<Event> replay_of(const Event& original);

// Whom the replay goes to: what was sent to a handler by name (a person's trigger) goes to that one again, all else as the rules say now, or to
// `handler` alone where one is wanted. `decisions`: those about the original.
Router::Target replay_target(const std::vector<Decision>& decisions, const std::string& handler);

}  // namespace hark
