// A cron expression in words, for `hark cron explain`. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/cron.h"

namespace hark {

struct CronExplanation {
  std::vector<std::pair<std::string, std::string>> fields;  // "hour": "9 to 17"; none of @every and @reboot
  std::vector<std::string> rules;                           // how they go together, and what a clock that is set does to them
};
CronExplanation explain(const Cron& cron);

}  // namespace hark
