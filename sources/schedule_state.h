// What a schedule decides, apart from timers and sinks: which slots are to be offered now, and when to look again. Pure.
//
// A slot is a moment the expression names. It is due that moment plus the jitter. Whoever looks late (the daemon was down, the
// machine was suspended, the clock was set forward, the loop was busy) finds several slots due at once; `catch_up` says what
// then:
//   none  the newest of them, if it is less than a minute late; else nothing
//   one   the newest of them, however late
//   all   every one, oldest first; of more than the limit the newest
// Each offered slot says how many before it, since the last one offered, were passed over.
// When the clock is set back by up to three hours, the slots it shows again do not fire again; beyond that the schedule
// follows the new time (cron(8)), and only the dedupe key keeps a slot from firing twice.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/cron.h"
#include "core/time.h"
#include "core/time_zone.h"
#include "sources/schedule.h"

namespace hark {

struct ScheduleSlot {
  WallTime time;   // as planned, without the jitter
  WallTime due;    // with it
  int missed = 0;  // passed over since the slot offered before this one; counted up to limits::kMissedCounted
};

class ScheduleState {
 public:
  // Of the options only catch_up, its limit, the jitter and the name (for the share of the jitter) matter here. `last_slot`: the
  // slot accepted last; nullopt: none ever, so that nothing before `now` is missed.
  ScheduleState(Cron cron, TimeZone zone, const ScheduleOptions& options, WallTime now, std::optional<WallTime> last_slot);

  struct Due {
    std::vector<ScheduleSlot> slots;  // to be offered, in this order
    std::optional<WallTime> wake;     // when to ask again; asking earlier does no harm; nullopt: never
  };
  Due due(WallTime now);

 private:
  std::vector<WallTime> newest_slots(WallTime until, std::size_t count) const;
  std::vector<WallTime> chosen_slots(WallTime until) const;
  int count_missed(WallTime before) const;

  Cron cron_;
  TimeZone zone_;
  ScheduleOptions::CatchUp catch_up_;
  std::size_t limit_;
  std::chrono::microseconds jitter_;  // this schedule's share
  WallTime settled_;                  // all slots up to here are decided
  WallTime last_offered_;             // counting of missed slots begins after it
};

// A schedule's share of the jitter, in [0, 1): the same for a name at every start and on every machine.
double jitter_share(std::string_view name);

}  // namespace hark
