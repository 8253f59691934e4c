// Whether a JSON document fits a JSON Schema (json-schema.org, draft 7; docs/decisions/0014). Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"

namespace hark {

// Whether it is one that check_json() understands whole. A keyword that it does not know is an Error: what is not looked at must not seem to
// be checked.
Status check_schema(const nlohmann::json& schema);

// An Error names the place and what is wrong there: "/summary: expected a string". `schema` has passed check_schema().
Status check_json(const nlohmann::json& document, const nlohmann::json& schema);

}  // namespace hark
