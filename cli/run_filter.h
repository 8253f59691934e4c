// Is a filter about runs one that a run can ever match? Finds what is misspelt, which would otherwise quietly match nothing.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/filter.h"
#include "core/result.h"

namespace hark {

// An Error for a field that no run in a list has ("sate"), or a state that is none, with the nearest that is.
Status check_run_filter(const Filter& filter);

bool matches(const Filter& filter, const nlohmann::json& run);  // the JSON form of a run

}  // namespace hark
