// Finds time zones in the system's zoneinfo (TZDIR or /usr/share/zoneinfo).
#pragma once

#include <string>

#include "core/result.h"
#include "core/time_zone.h"

namespace hark {

// By IANA name ("Europe/Berlin"). The error for an unknown one says where was looked and what to install.
Result<TimeZone> find_zone(const std::string& name);
// The machine's: TZ, else /etc/localtime, else UTC.
Result<TimeZone> local_zone();

}  // namespace hark
