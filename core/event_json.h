// The one JSON form of an event: journal, API, standard input of commands, replay and golden files.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "core/event.h"
#include "core/result.h"

namespace hark {

nlohmann::json to_json(const Event& event);
std::string to_json_text(const Event& event);  // the same object; `data` is spliced in as it stands, never parsed

Result<Event> event_from_json(const nlohmann::json& object);

}  // namespace hark
