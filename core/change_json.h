// A change of a file as the data of an event tells it: {"kind", "path", "from"}. JSON holds characters, a name is bytes: one that is no
// UTF-8 stands there twice, readable (with U+FFFD) and exactly ("path_base64"). Pure.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "core/change_set.h"

namespace hark {

void add_name(nlohmann::json& to, const std::string& key, const std::string& name);
std::string name_in(const nlohmann::json& object, const std::string& key);  // the exact one; empty: none

nlohmann::json to_json(const Change& change);
Change change_from_json(const nlohmann::json& object);  // of what to_json() made

}  // namespace hark
