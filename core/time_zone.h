// A time zone from a TZif file (RFC 9636), with its footer, so that years beyond the table follow the zone's rule. Pure: reading
// the file is platform/zoneinfo.h's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace hark {

// A time on the wall clock of some zone, without the zone.
using LocalTime = std::chrono::local_time<std::chrono::seconds>;

class TimeZone {
 public:
  static TimeZone utc();
  // `bytes`: the content of a TZif file. Hostile bytes are an error, never a crash.
  static Result<TimeZone> parse(std::string name, std::string_view bytes);

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

 private:
  struct Data;
  std::shared_ptr<const Data> data_;
};

}  // namespace hark
