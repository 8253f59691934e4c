// Two readers of JSON agree on what is JSON, and what was taken is kept byte by byte.
#include <string>

#include <nlohmann/json.hpp>

#include "core/json_keys.h"
#include "core/limits.h"
#include "core/payload.h"
#include "fuzz/fuzz.h"

using namespace hark;

void fuzz(std::string_view input) {
  const auto payload = Payload::parse(std::string(input));
  const bool valid = nlohmann::json::accept(input);
  if (!payload) return HOLDS(!valid || payload.error().message.find("deeper") != std::string::npos || !payload.error().message.empty());
  HOLDS(valid);
  HOLDS(payload->text() == input);
  HOLDS(nlohmann::json::parse(input) == payload->json());
  (void)parse_event_data(std::string(input));
}
