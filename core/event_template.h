// A template of a source's, with the values of one event. Pure.
#pragma once

#include <optional>
#include <string>

#include "core/event.h"
#include "core/template.h"

namespace hark {

// nullopt: it refers to values, and the event has none of them.
std::optional<std::string> rendered_for(const Template& text, const Event& event);

// For what tells two events apart: nullopt also where one of its values is missing, null, or puts in nothing.
std::optional<std::string> identity_for(const Template& text, const Event& event);

}  // namespace hark
