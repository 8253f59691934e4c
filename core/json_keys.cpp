#include "core/json_keys.h"

#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/json_members.h"

namespace hark {

std::optional<std::string> duplicate_key(std::string_view json) {
  const auto members = json_members(json);
  std::vector<std::string_view> names;
  names.reserve(members.size());
  for (const auto& member : members) names.push_back(member.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return std::nullopt;
  return std::string(*twice);
}

Result<Payload> parse_event_data(std::string text) {
  auto payload = Payload::parse(std::move(text));
  if (!payload) return payload;
  if (const auto key = duplicate_key(payload->text())) {
    return Error{"the key " + write_json(key->substr(0, 80)) + " is there more than once", ""};
  }
  return payload;
}

}  // namespace hark
