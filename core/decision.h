// A decision: one recorded reason why an event went on or stopped at a stage. What `hark explain` prints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/time.h"

namespace hark {

enum class Stage { intake, dedupe, filter, debounce, match, queue, executor, hook };
std::string_view to_string(Stage stage);

enum class Verdict { passed, held, dropped };
std::string_view to_string(Verdict verdict);

struct Decision {
  std::uint64_t event_sequence = 0;
  WallTime time{};
  Stage stage = Stage::intake;
  Verdict verdict = Verdict::passed;
  std::string handler;  // empty: about the event as a whole
  std::string reason;   // one sentence with the deciding value: "where: payload.action is 'closed', wanted 'opened'"
};

nlohmann::json to_json(const Decision& decision);

}  // namespace hark
