// Finds time zones in the system's zoneinfo (TZDIR or /usr/share/zoneinfo). Reads small files, so that a start may call it on the
// loop thread; reads the environment, so that nobody may change that meanwhile.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/result.h"
#include "core/time_zone.h"

namespace hark {

// Where zones are looked for; a test names its own places.
struct ZonePlaces {
  std::filesystem::path folder = "/usr/share/zoneinfo";
  std::optional<std::string> tz;  // the variable TZ
  std::filesystem::path localtime = "/etc/localtime";

  static ZonePlaces of_process();
};

// By IANA name ("Europe/Berlin"). The error for an unknown one says where was looked and what to install. A name that leads out
// of the folder ("../x", "/etc/passwd") is refused. "UTC" needs no file.
Result<TimeZone> find_zone(const std::string& name, const ZonePlaces& places = ZonePlaces::of_process());

// The machine's, as tzset(3) finds it: TZ (a name, a path, each with or without a leading ':', or a rule as
// "EST5EDT,M3.2.0,M11.1.0"; empty: UTC), else /etc/localtime, else UTC. Other than there, a TZ that means nothing is an error and
// not UTC in silence.
Result<TimeZone> local_zone(const ZonePlaces& places = ZonePlaces::of_process());

}  // namespace hark
