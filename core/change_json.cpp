#include "core/change_json.h"

#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/printable.h"

namespace hark {

namespace {

std::string text_of(const nlohmann::json& object, const std::string& key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

}  // namespace

void add_name(nlohmann::json& to, const std::string& key, const std::string& name) {
  to[key] = name;
  if (!is_utf8(name)) to[key + "_base64"] = to_base64(name);
}

std::string name_in(const nlohmann::json& object, const std::string& key) {
  if (const auto exact = from_base64(text_of(object, key + "_base64")); exact && !exact->empty()) return *exact;
  return text_of(object, key);
}

nlohmann::json to_json(const Change& change) {
  nlohmann::json object = {{"kind", to_string(change.kind)}};
  add_name(object, "path", change.path);
  if (change.kind == Change::Kind::rename) add_name(object, "from", change.from);
  return object;
}

Change change_from_json(const nlohmann::json& object) {
  Change change;
  change.path = name_in(object, "path");
  change.from = name_in(object, "from");
  const auto kind = text_of(object, "kind");
  for (const auto known : {Change::Kind::create, Change::Kind::remove, Change::Kind::rename}) {
    if (kind == to_string(known)) change.kind = known;
  }
  return change;
}

}  // namespace hark
