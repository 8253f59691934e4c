// A time zone from a TZif file (RFC 9636, versions 1 to 4), with its footer, so that years beyond the table follow the zone's
// rule. Immutable and cheap to copy; any thread. Pure: reading the file is platform/zoneinfo.h's.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/time.h"

namespace hark {

// A time on the wall clock of some zone, without the zone.
using LocalTime = std::chrono::local_time<std::chrono::seconds>;

// The second that `time` lies in. Unlike std::chrono::floor it does not overflow at the ends of WallTime.
inline std::chrono::sys_seconds whole_seconds(WallTime time) {
  const auto count = time.time_since_epoch().count();
  return std::chrono::sys_seconds{std::chrono::seconds{count / 1'000'000 - (count % 1'000'000 < 0 ? 1 : 0)}};
}

class TimeZone {
 public:
  static TimeZone utc();
  // `bytes`: the content of a TZif file. Hostile bytes are an error, never a crash. A zone that counts leap seconds (right/...)
  // is refused: the system clock does not count them.
  static Result<TimeZone> parse(std::string name, std::string_view bytes);
  // From a POSIX TZ string, "EST5EDT,M3.2.0,M11.1.0".
  static Result<TimeZone> from_rule(std::string name, std::string_view posix_tz);

  const std::string& name() const;
  std::chrono::seconds offset(WallTime time) const;  // to add to UTC
  LocalTime to_local(WallTime time) const;

  // What a wall clock reading means: no moment (skipped by a jump forward), one, or two (repeated by a jump back).
  struct Moments {
    enum class Kind { unique, skipped, repeated } kind = Kind::unique;
    WallTime first{};   // unique: the moment; repeated: the earlier; skipped: the moment of the jump
    WallTime second{};  // repeated: the later
  };
  Moments to_moments(LocalTime time) const;

  // The stretch of unchanging offset that holds `time`; before the first and after the last change it reaches beyond all time
  // (2^59 seconds).
  struct Stretch {
    std::chrono::sys_seconds begin;
    std::chrono::sys_seconds end;  // exclusive
    std::chrono::seconds offset;
  };
  Stretch stretch_at(std::chrono::sys_seconds time) const;

 private:
  struct Data;
  explicit TimeZone(std::shared_ptr<const Data> data);
  std::shared_ptr<const Data> data_;
};

// RFC 3339 with the zone's offset, "2026-03-29T03:00:00+02:00"; fractions of a second are cut. An offset that is no whole minute
// (local mean times before 1940) has no such form: then in UTC, "...Z".
std::string to_rfc3339(WallTime time, const TimeZone& zone);

}  // namespace hark
