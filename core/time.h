// The two times hark speaks of. Nothing in core reads a clock: whoever calls passes a Now in (only platform/clock.h makes one).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace hark {

using Duration = std::chrono::nanoseconds;
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;  // for people, schedules and the journal; may jump
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;  // for waiting; never jumps

struct Now {
  WallTime wall;
  SteadyTime steady;
};

// RFC 3339 in UTC with milliseconds, "2026-11-21T07:17:07.123Z": the one form of a time in JSON.
std::string to_rfc3339(WallTime time);
std::optional<WallTime> from_rfc3339(std::string_view text);

// Durations as the configuration writes them: "250ms", "5s", "1m30s", "24h", "7d". No sign, no bare number. nullopt: not one.
std::optional<Duration> parse_duration(std::string_view text);
// The shortest such form that is exact to a millisecond: "1m30s".
std::string to_string(Duration duration);

}  // namespace hark
