// A TZif file that is taken answers for every moment, with stretches that hold it.
#include "core/time_zone.h"

#include "core/posix_tz.h"
#include "fuzz/fuzz.h"

using namespace hark;

void fuzz(std::string_view input) {
  (void)PosixTz::parse(input);
  const auto zone = TimeZone::parse("Fuzz/Zone", input);
  if (!zone) return HOLDS(!zone.error().message.empty());
  for (const std::int64_t second : {std::int64_t{-5'000'000'000}, std::int64_t{0}, std::int64_t{1'790'000'000}, std::int64_t{4'000'000'000}, std::int64_t{100'000'000'000}}) {
    const std::chrono::sys_seconds at{std::chrono::seconds{second}};
    const auto stretch = zone->stretch_at(at);
    HOLDS(stretch.begin <= at && at < stretch.end);
  }
}
