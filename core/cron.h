// Cron expressions, as Debian's cron reads them, pure. Five fields (minute hour day-of-month month day-of-week) or six with
// seconds first; names, lists, ranges, steps; `@hourly @daily @midnight @weekly @monthly @yearly @annually`. Day-of-month and
// day-of-week: either matches, unless one of the two fields begins with `*` (crontab(5), "Note"); 0 and 7 are Sunday.
// What other crons read in silence or never fire is refused with the right spelling.
#pragma once

#include <array>
#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/time.h"
#include "core/time_zone.h"

namespace hark {

class Cron {
 public:
  static Result<Cron> parse(std::string_view expression);

  const std::string& text() const { return text_; }

  // The first slot strictly after `after`; nullopt: none within 8 years (29 February's longest pause).
  // Daylight saving as Debian's cron(8): a fixed time that a jump forward skips runs right after the jump; one that is repeated by a
  // jump back runs once; a wildcard hour or minute follows real time.
  std::optional<WallTime> next(WallTime after, const TimeZone& zone) const;

 private:
  std::string text_;
  std::bitset<60> seconds_;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool day_is_star_ = false;
  bool weekday_is_star_ = false;
  bool follows_real_time_ = false;  // hour or minute begins with '*'
};

}  // namespace hark
