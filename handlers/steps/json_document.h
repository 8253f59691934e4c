// A JSON document of the configuration whose strings are templates. A string that is one template as a whole keeps its value's type, and is
// null where there is none. Pure but for the scope; worker thread.
#pragma once

#include <nlohmann/json.hpp>

#include "core/template.h"
#include "handlers/scope.h"

namespace hark {

bool is_one_template(const Template& text);

nlohmann::json render_json(const nlohmann::json& document, Scope& scope);
nlohmann::json render_json(const nlohmann::json& document, const Template::Lookup& lookup);  // by values that are made into something else

}  // namespace hark
