// Source `schedule`: offers one event a slot of a cron expression.
//
// data = {"schedule": name, "cron": expression, "slot": the planned time (RFC 3339 with the zone's offset), "missed": n}. Subject: the slot in UTC.
// dedupe_key: name and slot, so that no restart, clock jump or second start fires a slot twice.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/time.h"
#include "sources/source.h"

namespace hark {

class Clock;
class Loop;

struct ScheduleOptions {
  std::string name;
  std::string cron;                 // checked when the configuration was read
  std::string timezone;             // IANA name; empty: local
  enum class CatchUp { none, one, all } catch_up = CatchUp::none;  // slots missed while the daemon was down
  int catch_up_limit = 100;         // for `all`
  Duration jitter{};                // each slot is late by a share of it that is stable per name
};

// `last_slot` answers which slot of this schedule was accepted last, from the state kept across restarts; nullopt: never.
std::unique_ptr<Source> make_schedule(ScheduleOptions options, Loop& loop, const Clock& clock,
                                      std::function<std::optional<WallTime>()> last_slot);

}  // namespace hark
