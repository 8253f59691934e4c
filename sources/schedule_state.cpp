#include "sources/schedule_state.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/limits.h"

namespace hark {

using namespace std::chrono;

namespace {

constexpr auto kOnTime = minutes{1};
constexpr auto kLargeChange = hours{3};

}  // namespace

ScheduleState::ScheduleState(Cron cron, TimeZone zone, const ScheduleOptions& options, WallTime now,
                             std::optional<WallTime> last_slot)
    : cron_(std::move(cron)),
      zone_(std::move(zone)),
      catch_up_(options.catch_up),
      limit_(static_cast<std::size_t>(std::clamp(options.catch_up_limit, 1, limits::kCatchUpSlots))),
      jitter_(static_cast<microseconds::rep>(static_cast<double>(duration_cast<microseconds>(options.jitter).count()) *
                                             jitter_share(options.name))),
      settled_(last_slot.value_or(now)),
      last_offered_(settled_) {}

ScheduleState::Due ScheduleState::due(WallTime now) {
  const WallTime until = now - jitter_;
  if (settled_ > now + kLargeChange) settled_ = last_offered_ = until;
  Due due;
  if (until > settled_) {
    for (const auto slot : chosen_slots(until)) {
      due.slots.push_back({slot, slot + jitter_, count_missed(slot)});
      last_offered_ = slot;
    }
    settled_ = until;
  }
  if (const auto next = cron_.next(settled_, zone_)) due.wake = *next + jitter_;
  return due;
}

std::vector<WallTime> ScheduleState::chosen_slots(WallTime until) const {
  switch (catch_up_) {
    case ScheduleOptions::CatchUp::none: {
      auto slots = newest_slots(until, 1);
      if (!slots.empty() && until - slots.front() >= kOnTime) slots.clear();
      return slots;
    }
    case ScheduleOptions::CatchUp::one:
      return newest_slots(until, 1);
    case ScheduleOptions::CatchUp::all:
      return newest_slots(until, limit_);
  }
  return {};
}

// The newest `count` slots in (settled_, until], ascending. A calculator that only goes forward is asked about a growing span
// before `until`: a schedule of every second that slept for a year costs no more than one of every year.
std::vector<WallTime> ScheduleState::newest_slots(WallTime until, std::size_t count) const {
  for (microseconds span = kOnTime;; span *= 2) {
    const bool is_all = span >= until - settled_;
    std::vector<WallTime> slots;
    auto slot = cron_.next(is_all ? settled_ : until - span, zone_);
    for (; slot && *slot <= until; slot = cron_.next(*slot, zone_)) slots.push_back(*slot);
    if (slots.size() < count && !is_all) continue;
    if (slots.size() > count) slots.erase(slots.begin(), slots.end() - static_cast<std::ptrdiff_t>(count));
    return slots;
  }
}

int ScheduleState::count_missed(WallTime before) const {
  int missed = 0;
  auto slot = cron_.next(last_offered_, zone_);
  for (; slot && *slot < before && missed < limits::kMissedCounted; slot = cron_.next(*slot, zone_)) ++missed;
  return missed;
}

double jitter_share(std::string_view name) {
  std::uint64_t hash = 14'695'981'039'346'656'037ull;  // FNV-1a, which is the same everywhere, unlike std::hash
  for (const char c : name) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1'099'511'628'211ull;
  }
  hash ^= hash >> 32;  // the upper bits of short names' hashes differ little
  hash *= 0x9E37'79B9'7F4A'7C15ull;
  return static_cast<double>(hash >> 11) / 9'007'199'254'740'992.0;  // 2^53
}

}  // namespace hark
