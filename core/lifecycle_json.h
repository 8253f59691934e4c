// The one JSON form of a lifecycle event: {"name", "time", ...its fields}, runs and events within it in their own one form, durations in
// milliseconds. What hooks get and streams tell; docs/formats.md has the fields. Pure; any thread.
#pragma once

#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/filter.h"
#include "core/lifecycle.h"
#include "core/time.h"

namespace hark {

nlohmann::json to_json(const lifecycle::Any& any, WallTime time);

// A filter over it. What it is about is looked at first, as filters elsewhere name its fields: of `event:*` the event ("type",
// "payload.sender.type"), of those with a whole run the run ("state", "event.type"); then the form above ("handler", "decision.reason",
// "run.error").
Filter::Verdict evaluate(const Filter& filter, const lifecycle::Any& any);

}  // namespace hark
