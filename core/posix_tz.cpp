#include "core/posix_tz.h"

#include <algorithm>
#include <array>
#include <string>

namespace hark {
namespace {

// The Gregorian calendar repeats, weekdays included, after 400 years.
constexpr std::int64_t kCycle = 146'097LL * 86'400;
constexpr std::int64_t kCycleStartSeconds = 946'684'800;  // 2000-01-01T00:00:00Z

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

class PosixTz::Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool done() const { return at_ == text_.size(); }
  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool next_is_name() const { return !done() && (text_[at_] == '<' || is_letter(text_[at_])); }

  bool name() {
    const bool quoted = take('<');
    const auto begin = at_;
    while (!done() && (is_letter(text_[at_]) || (quoted && (is_digit(text_[at_]) || text_[at_] == '+' || text_[at_] == '-'))))
      ++at_;
    return at_ - begin >= 3 && (!quoted || take('>'));
  }

  std::optional<int> number(int low, int high) {
    int value = 0;
    const auto begin = at_;
    while (!done() && is_digit(text_[at_]) && at_ - begin < 4) value = value * 10 + (text_[at_++] - '0');
    if (at_ == begin || value < low || value > high) return std::nullopt;
    return value;
  }

  // [+-]hh[:mm[:ss]], in seconds.
  std::optional<std::int32_t> time(int max_hours) {
    const int sign = take('-') ? -1 : 1;
    if (sign == 1) take('+');
    const auto hours = number(0, max_hours);
    if (!hours) return std::nullopt;
    int seconds = *hours * 3600;
    for (const int unit : {60, 1}) {
      if (!take(':')) break;
      const auto part = number(0, 59);
      if (!part) return std::nullopt;
      seconds += *part * unit;
    }
    return sign * seconds;
  }

  // Jn | n | Mm.w.d, each with an optional "/time".
  std::optional<Date> date() {
    Date date;
    std::optional<int> day;
    if (take('M')) {
      const auto month = number(1, 12);
      const auto week = take('.') ? number(1, 5) : std::nullopt;
      day = take('.') ? number(0, 6) : std::nullopt;
      if (!month || !week) return std::nullopt;
      date.month = *month;
      date.week = *week;
    } else if (take('J')) {
      date.kind = Date::Kind::day_without_leap;
      day = number(1, 365);
    } else {
      date.kind = Date::Kind::day_with_leap;
      day = number(0, 365);
    }
    if (!day) return std::nullopt;
    date.day = *day;
    if (take('/')) {
      const auto when = time(167);
      if (!when) return std::nullopt;
      date.time = *when;
    }
    return date;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

Result<PosixTz> PosixTz::parse(std::string_view text) {
  const auto wrong = [](const char* what) { return Error{std::string("the POSIX time zone ") + what, {}}; };
  Reader reader(text);
  PosixTz zone;
  if (!reader.name()) return wrong("does not begin with an abbreviation of three letters or more");
  const auto west = reader.time(24);  // POSIX counts hours west of Greenwich
  if (!west) return wrong("has no offset after its abbreviation");
  zone.standard_offset_ = -*west;
  if (reader.done()) return zone;

  if (!reader.name()) return wrong("has something after its offset that is no abbreviation of a summer time");
  zone.has_summer_ = true;
  zone.summer_offset_ = zone.standard_offset_ + 3600;
  if (reader.done()) {
    zone.summer_begins_ = {Date::Kind::month_week_day, 3, 2, 0, 2 * 3600};
    zone.summer_ends_ = {Date::Kind::month_week_day, 11, 1, 0, 2 * 3600};
    return zone;
  }
  bool comma = reader.take(',');
  if (!comma) {
    const auto summer_west = reader.time(24);
    if (!summer_west) return wrong("has a wrong offset of its summer time");
    zone.summer_offset_ = -*summer_west;
    comma = reader.take(',');
  }
  const auto begins = comma ? reader.date() : std::nullopt;
  const auto ends = begins && reader.take(',') ? reader.date() : std::nullopt;
  if (!ends || !reader.done()) return wrong("has a wrong date of its summer time");
  zone.summer_begins_ = *begins;
  zone.summer_ends_ = *ends;
  return zone;
}

std::int64_t PosixTz::at(const Date& date, int year_number) {
  using namespace std::chrono;
  const year y{year_number};
  sys_days day;
  switch (date.kind) {
    case Date::Kind::month_week_day: {
      const month m{static_cast<unsigned>(date.month)};
      const weekday w{static_cast<unsigned>(date.day)};
      day = date.week == 5 ? sys_days{y / m / w[last]} : sys_days{y / m / w[static_cast<unsigned>(date.week)]};
      break;
    }
    case Date::Kind::day_without_leap:
      day = sys_days{y / January / 1} + days{date.day - 1 + (y.is_leap() && date.day >= 60 ? 1 : 0)};
      break;
    case Date::Kind::day_with_leap:
      day = sys_days{y / January / 1} + days{date.day};
      break;
  }
  return seconds{day.time_since_epoch()}.count() + date.time;
}

PosixTz::Stretch PosixTz::stretch_at(std::int64_t moment) const {
  if (!has_summer_) return {kNeverBefore, kNeverAfter, standard_offset_};
  // Looked up within one cycle of the calendar, so that no year is out of reach.
  const std::int64_t since = moment - kCycleStartSeconds;
  const std::int64_t cycles = since >= 0 ? since / kCycle : -((-since + kCycle - 1) / kCycle);
  const std::int64_t shift = cycles * kCycle;
  const std::int64_t inside = moment - shift;
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds{std::chrono::seconds{inside}});
  const int year = static_cast<int>(std::chrono::year_month_day{day}.year());

  struct Change {
    std::int64_t at;
    bool to_summer;
  };
  // Dates may lie a week outside their year: the years before and after are looked at too, and one more on each side for the
  // ends. When summer ends as the next begins it lasts all year (RFC 9636, 3.3.1), hence summer is last in the order.
  std::array<Change, 10> changes{};
  for (int i = 0; i < 5; ++i) {
    const int y = year - 2 + i;
    changes[static_cast<std::size_t>(2 * i)] = {at(summer_begins_, y) - standard_offset_, true};
    changes[static_cast<std::size_t>(2 * i + 1)] = {at(summer_ends_, y) - summer_offset_, false};
  }
  std::sort(changes.begin(), changes.end(),
            [](const Change& a, const Change& b) { return a.at != b.at ? a.at < b.at : a.to_summer < b.to_summer; });
  const auto after = std::upper_bound(changes.begin(), changes.end(), inside,
                                      [](std::int64_t value, const Change& change) { return value < change.at; });
  const auto before = after - 1;
  return {before->at + shift, after->at + shift, before->to_summer ? summer_offset_ : standard_offset_};
}

}  // namespace hark
