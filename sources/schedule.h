// Source `schedule`: offers one event a slot of a cron expression.
//
// Type "schedule". data = {"schedule": name, "cron": expression, "slot": the planned time (RFC 3339 with the zone's offset),
// "missed": n}. Subject: the slot in UTC. Offered limits::kSlotAhead before it, so that what it starts is
// on time. Time: the slot with its jitter, or when it was offered, whichever is later. dedupe_key "schedule/<name>/<slot in UTC>", so that no
// restart, clock jump or second start fires a slot twice.
//
// Slots are offered in order, one at a time: a slot the sink refuses is offered again after 1 s, then twice that, up to 60 s, and
// those behind it wait (at most limits::kSlotsWaiting). So the slot accepted last is all that must be known at the next start.
// "@reboot" has one slot: the first start after each start of the machine (by the kernel's boot id, which is kept as a mark with the
// event: marks.h). dedupe_key "schedule/<name>/boot/<id>".
// A slot that is found late, because the daemon was down, the machine suspended or the clock set forward, is a missed slot;
// catch_up decides about it, sources/schedule_state.h says how.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/cron.h"
#include "core/time.h"
#include "sources/source.h"

namespace hark {

class Clock;
class Loop;
class Marks;

struct ScheduleOptions {
  std::string name;
  std::string cron;                 // checked when the configuration was read
  std::string timezone;             // IANA name; empty: local
  enum class CatchUp { none, one, all } catch_up = CatchUp::none;  // slots missed while the daemon was down
  int catch_up_limit = 100;         // for `all`, 1 to limits::kCatchUpSlots
  DstRule dst = DstRule::cron;
  Duration jitter{};                // each slot is late by a share of it that is stable per name
  friend bool operator==(const ScheduleOptions&, const ScheduleOptions&) = default;
};

// The mark of "@reboot": the boot id of the machine's start that it last ran for.
inline constexpr std::string_view kBootMark = "boot";

// `last_slot` answers which slot of this schedule was accepted last, from the state kept across restarts; nullopt: never. It is
// asked at each start. `boot`: which start of the machine this is (platform/boot_id.h).
std::unique_ptr<Source> make_schedule(ScheduleOptions options, Loop& loop, const Clock& clock,
                                      std::function<std::optional<WallTime>()> last_slot, Marks& marks, std::string boot);

}  // namespace hark
