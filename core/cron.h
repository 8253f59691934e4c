// Cron expressions, as Debian's cron reads them, pure. Five fields (minute hour day-of-month month day-of-week) or six with
// seconds first; names, lists, ranges, steps; `@hourly @daily @midnight @weekly @monthly @yearly @annually`, `@every 90s`, `@reboot`. Day-of-month
// and day-of-week: either matches, unless one of the two fields begins with `*` (crontab(5), "Note"); 0 and 7 are Sunday.
// From Quartz, in lists as well: of the day of month `L` (the last), `L-3` (so many before it), `15W` (the weekday, Monday to Friday,
// nearest to the 15th in its month), `LW` (the last weekday); of the day of week `MON#2` (the second of the month), `FRIL` (the last); `?`
// is `*` in either.
// What other crons read in silence or never fire is refused with the right spelling.
#pragma once

#include <array>
#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "core/time_zone.h"

namespace hark {

// Days that depend on the month they are in.
struct CronDays {
  std::bitset<31> before_last;            // 0: the last one, 1: the one before it, ...
  std::bitset<32> workdays;               // the weekday nearest to this day
  bool last_workday = false;
  std::array<std::bitset<5>, 7> nth{};    // of each day of the week, Sunday first: the first of the month, the second, ...
  std::bitset<7> last;                    // the last such day of the month

  bool by_day(std::chrono::year_month_day date) const;
  bool by_weekday(std::chrono::year_month_day date) const;
};

// What becomes of a fixed time when the clock is set. (A wildcard hour or minute follows the clock in any case.)
enum class DstRule {
  cron,  // Debian's: one that is skipped runs right after the jump, one that is repeated runs once, the first time
  skip,  // one that is skipped does not run, one that is repeated runs once
  all    // one that is skipped runs right after the jump, one that is repeated runs both times
};

DstRule dst_rule(std::string_view name);  // "skip", "all"; anything else: cron

class Cron {
 public:
  // The error names the field and the column (from 1) in `expression`; its cure is the right spelling, where there is one.
  static Result<Cron> parse(std::string_view expression);

  const std::string& text() const { return text_; }
  void set_dst(DstRule rule) { dst_ = rule; }
  bool at_boot() const { return at_boot_; }  // "@reboot": not a time, next() finds none

  // The first slot strictly after `after`. Of `@every` they are the multiples of the pause since 1970, whenever it was first asked. nullopt: none before the year 9900; every expression that parses fires at least once
  // in 40 years (29 February on a given weekday).
  // Daylight saving by default as Debian's cron(8), see DstRule; of several times that one jump skips there is one run. At a change of
  // three hours or more everything follows real time.
  std::optional<WallTime> next(WallTime after, const TimeZone& zone) const;

 private:
  friend class CronParser;
  friend class CronWords;

  std::optional<LocalTime> next_reading(LocalTime from) const;
  std::optional<int> time_of_day(int from) const;
  bool runs_on(std::chrono::local_days day) const;

  std::string text_;
  std::bitset<60> seconds_;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  CronDays relative_;
  std::optional<std::chrono::seconds> every_;
  bool day_is_star_ = false;
  bool weekday_is_star_ = false;
  bool follows_real_time_ = false;  // hour or minute begins with '*'
  bool at_boot_ = false;
  DstRule dst_ = DstRule::cron;
};

// The next `count` slots after `after`, ascending: what `hark cron next` prints.
std::vector<WallTime> next_slots(const Cron& cron, WallTime after, const TimeZone& zone, std::size_t count);

}  // namespace hark
