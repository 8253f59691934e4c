#include "core/cron.h"

#include <algorithm>

namespace hark {

using namespace std::chrono;

namespace {

// cron(8): "local time changes of less than three hours".
constexpr seconds kLargeChange = hours{3};
// No two offsets of a zone differ by more (RFC 9636: -25 to +26 hours).
constexpr seconds kBeyondChanges = days{3};
constexpr sys_seconds kLatest = sys_days{year{9900} / January / 1};
constexpr sys_seconds kEarliest = sys_days{year{1} / January / 1};

bool is_small_jump_forward(seconds change) { return change > seconds{0} && change < kLargeChange; }
bool is_small_jump_back(seconds change) { return change < seconds{0} && -change < kLargeChange; }

template <std::size_t N>
std::optional<int> first_set(const std::bitset<N>& set, int from) {
  for (int i = from; i < static_cast<int>(N); ++i) {
    if (set.test(static_cast<std::size_t>(i))) return i;
  }
  return std::nullopt;
}

// The reading of the wall clock at `from`, except that for a fixed time one which the clock shows for the second time counts as
// past.
LocalTime first_new_reading(const TimeZone& zone, const TimeZone::Stretch& stretch, sys_seconds from, bool follows_real_time) {
  const LocalTime reading{from.time_since_epoch() + stretch.offset};
  if (follows_real_time || from - stretch.begin >= kLargeChange) return reading;
  const seconds before = zone.stretch_at(stretch.begin - seconds{1}).offset;
  if (!is_small_jump_back(stretch.offset - before)) return reading;
  return std::max(reading, LocalTime{stretch.begin.time_since_epoch() + before});
}

}  // namespace

std::optional<int> Cron::time_of_day(int from) const {
  const int from_hour = from / 3600;
  for (auto hour = first_set(hours_, from_hour); hour; hour = first_set(hours_, *hour + 1)) {
    const int from_minute = *hour == from_hour ? from / 60 % 60 : 0;
    for (auto minute = first_set(minutes_, from_minute); minute; minute = first_set(minutes_, *minute + 1)) {
      const bool same = *hour == from_hour && *minute == from / 60 % 60;
      if (const auto second = first_set(seconds_, same ? from % 60 : 0)) return *hour * 3600 + *minute * 60 + *second;
    }
  }
  return std::nullopt;
}

namespace {

unsigned length_of(year_month_day date) { return static_cast<unsigned>(year_month_day_last{date.year(), month_day_last{date.month()}}.day()); }
bool is_workday(unsigned weekday) { return weekday >= 1 && weekday <= 5; }

// The Monday-to-Friday day that is nearest to `day`, of which month the first day is `first` of the week. It stays in the month.
unsigned nearest_workday(unsigned day, unsigned first, unsigned length) {
  const auto weekday = (first + day - 1) % 7;
  if (weekday == 6) return day > 1 ? day - 1 : day + 2;
  if (weekday == 0) return day < length ? day + 1 : day - 2;
  return day;
}

}  // namespace

bool CronDays::by_day(year_month_day date) const {
  const auto day = static_cast<unsigned>(date.day());
  const auto length = length_of(date);
  if (before_last.test(length - day)) return true;
  const auto first = weekday{local_days{date.year() / date.month() / 1}}.c_encoding();
  if (!is_workday((first + day - 1) % 7)) return false;
  if (last_workday && nearest_workday(length, first, length) == day) return true;
  for (unsigned wanted = day > 2 ? day - 2 : 1; wanted <= std::min(day + 2, length); ++wanted) {
    if (workdays.test(wanted) && nearest_workday(wanted, first, length) == day) return true;
  }
  return false;
}

bool CronDays::by_weekday(year_month_day date) const {
  const auto day = static_cast<unsigned>(date.day());
  const auto week = weekday{local_days{date}}.c_encoding();
  return nth[week].test((day - 1) / 7) || (last.test(week) && day + 7 > length_of(date));
}

bool Cron::runs_on(local_days day) const {
  const year_month_day date{day};
  const bool by_day = days_.test(static_cast<unsigned>(date.day())) || relative_.by_day(date);
  const bool by_weekday = weekdays_.test(weekday{day}.c_encoding()) || relative_.by_weekday(date);
  return day_is_star_ || weekday_is_star_ ? by_day && by_weekday : by_day || by_weekday;
}

// The first reading of a wall clock, daylight saving aside, at or after `from`: jumps over months, days, hours and minutes.
std::optional<LocalTime> Cron::next_reading(LocalTime from) const {
  auto day = floor<days>(from);
  int from_second = static_cast<int>((from - day).count());
  auto month = year_month{year_month_day{day}.year(), year_month_day{day}.month()};
  // 40 years are the longest pause there is; one more month is the one where the search begins.
  for (int searched = 0; searched <= 41 * 12; ++searched, month += months{1}) {
    if (months_.test(static_cast<unsigned>(month.month()))) {
      const auto end = local_days{(month + months{1}) / 1};
      for (; day < end; day += days{1}, from_second = 0) {
        if (!runs_on(day)) continue;
        if (const auto time = time_of_day(from_second)) return day + seconds{*time};
      }
    }
    day = local_days{(month + months{1}) / 1};
    from_second = 0;
  }
  return std::nullopt;
}

std::optional<WallTime> Cron::next(WallTime after, const TimeZone& zone) const {
  if (at_boot_) return std::nullopt;
  // Within a stretch of unchanging offset wall clock and real time run side by side; between two stretches the rules of cron(8)
  // apply. The first stretch is that of `after`, so that a jump in the very next second is not missed.
  const sys_seconds start = std::max(whole_seconds(after), kEarliest);
  if (every_) {
    const auto since = start.time_since_epoch();
    const auto into = since % *every_;
    return sys_seconds{since - into + (into < seconds{0} ? seconds{0} : *every_)};
  }
  sys_seconds from = start + seconds{1};
  for (auto stretch = zone.stretch_at(start); from < kLatest; stretch = zone.stretch_at(from)) {
    const auto reading = next_reading(first_new_reading(zone, stretch, from, follows_real_time_ || dst_ == DstRule::all));
    if (!reading) return std::nullopt;
    const sys_seconds moment{reading->time_since_epoch() - stretch.offset};
    if (moment < stretch.end) return moment;

    const seconds change = zone.stretch_at(stretch.end).offset - stretch.offset;
    const bool skipped = moment - change < stretch.end;
    if (skipped && !follows_real_time_ && dst_ != DstRule::skip && is_small_jump_forward(change)) return stretch.end;
    // No later reading matches before this one, so that the stretches well before it need no look. Except that a jump back soon
    // after `from` may show earlier readings again.
    const bool may_repeat = stretch.end - from < kBeyondChanges;
    from = may_repeat ? stretch.end : std::max(stretch.end, moment - kBeyondChanges);
  }
  return std::nullopt;
}

DstRule dst_rule(std::string_view name) { return name == "skip" ? DstRule::skip : name == "all" ? DstRule::all : DstRule::cron; }

std::vector<WallTime> next_slots(const Cron& cron, WallTime after, const TimeZone& zone, std::size_t count) {
  std::vector<WallTime> slots;
  while (slots.size() < count) {
    const auto slot = cron.next(slots.empty() ? after : slots.back(), zone);
    if (!slot) break;
    slots.push_back(*slot);
  }
  return slots;
}

}  // namespace hark
