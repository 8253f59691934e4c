// A POSIX TZ string ("CET-1CEST,M3.5.0,M10.5.0/3"): the rule a zone follows for ever. What stands in a TZif file's footer
// (RFC 9636, section 3.3.1, whose extensions to POSIX are read too) and may stand in the variable TZ. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/result.h"

namespace hark {

class PosixTz {
 public:
  // A zone with summer time but no dates for it follows the rule of the United States, as in glibc.
  static Result<PosixTz> parse(std::string_view text);

  // The stretch of unchanging offset that holds `moment`. Seconds since 1970; begin and end are kNever* for a zone without
  // summer time. `end` is exclusive.
  struct Stretch {
    std::int64_t begin;
    std::int64_t end;
    std::int32_t offset;  // seconds east of UTC
  };
  Stretch stretch_at(std::int64_t moment) const;

  // Beyond every moment, with room to add an offset (RFC 9636 names -2^59 as earlier than the Big Bang).
  static constexpr std::int64_t kNeverBefore = -(std::int64_t{1} << 59);
  static constexpr std::int64_t kNeverAfter = std::int64_t{1} << 59;

 private:
  class Reader;

  struct Date {
    enum class Kind { month_week_day, day_without_leap, day_with_leap } kind = Kind::month_week_day;
    int month = 1;
    int week = 1;  // 5: the last
    int day = 0;   // month_week_day: weekday, 0 is Sunday; else the day of the year as written
    std::int32_t time = 2 * 3600;
  };
  static std::int64_t at(const Date& date, int year);  // seconds since 1970, as if local time were UTC

  std::int32_t standard_offset_ = 0;
  std::int32_t summer_offset_ = 0;
  bool has_summer_ = false;
  Date summer_begins_;
  Date summer_ends_;
};

}  // namespace hark
