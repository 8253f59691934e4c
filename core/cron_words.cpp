#include "core/cron_words.h"

#include <array>
#include <string_view>

namespace hark {
namespace {

constexpr std::array<std::string_view, 7> kDayNames = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 13> kMonthNames = {"", "January", "February", "March", "April", "May", "June", "July",
                                                      "August", "September", "October", "November", "December"};

std::string ordinal(std::size_t number) {
  const bool teen = number / 10 % 10 == 1;
  const auto* ending = teen ? "th" : number % 10 == 1 ? "st" : number % 10 == 2 ? "nd" : number % 10 == 3 ? "rd" : "th";
  return std::to_string(number) + ending;
}

void add(std::string& list, const std::string& item) { list += (list.empty() ? "" : ", ") + item; }

// "0 to 4, 7, 9"; of three or more in a row only the ends. Empty: none.
template <std::size_t N, class Name>
std::string listed(const std::bitset<N>& set, Name name) {
  std::string list;
  for (std::size_t at = 0; at < N; ++at) {
    if (!set.test(at)) continue;
    std::size_t end = at;
    while (end + 1 < N && set.test(end + 1)) ++end;
    if (end - at >= 2) {
      add(list, name(at) + " to " + name(end));
      at = end;
    } else {
      add(list, name(at));
    }
  }
  return list;
}

std::string number(std::size_t value) { return std::to_string(value); }

}  // namespace

class CronWords {
 public:
  static CronExplanation explain(const Cron& cron) {
    if (cron.at_boot_) return {{}, {"once after each start of the machine, when hark runs next"}};
    if (cron.every_) return {{}, {"every " + to_string(Duration(*cron.every_)) + ", at the multiples of it since 1970 (UTC)"}};
    return {{{"second", times(cron.seconds_, "every second")},
             {"minute", times(cron.minutes_, "every minute")},
             {"hour", times(cron.hours_, "every hour")},
             {"day of month", days(cron)},
             {"month", months(cron)},
             {"day of week", weekdays(cron)}},
            {days_together(cron), clock_set(cron)}};
  }

 private:
  template <std::size_t N>
  static std::string times(const std::bitset<N>& set, const char* all) {
    return set.all() ? all : listed(set, number);
  }

  static std::string days(const Cron& cron) {
    auto all = cron.days_;
    if (all.set(0).all()) return "every day";
    auto list = listed(cron.days_, number);
    for (std::size_t before = 0; before < cron.relative_.before_last.size(); ++before) {
      if (!cron.relative_.before_last.test(before)) continue;
      add(list, before == 0 ? "the last" : number(before) + (before == 1 ? " day" : " days") + " before the last");
    }
    for (std::size_t day = 0; day < cron.relative_.workdays.size(); ++day) {
      if (cron.relative_.workdays.test(day)) add(list, "the weekday nearest to the " + ordinal(day));
    }
    if (cron.relative_.last_workday) add(list, "the last weekday");
    return list;
  }

  static std::string months(const Cron& cron) {
    auto all = cron.months_;
    if (all.set(0).all()) return "every month";
    return listed(cron.months_, [](std::size_t month) { return std::string(kMonthNames[month]); });
  }

  static std::string weekdays(const Cron& cron) {
    if (cron.weekdays_.all()) return "every day";
    auto list = listed(cron.weekdays_, [](std::size_t day) { return std::string(kDayNames[day]); });
    for (std::size_t day = 0; day < kDayNames.size(); ++day) {
      for (std::size_t nth = 0; nth < cron.relative_.nth[day].size(); ++nth) {
        if (cron.relative_.nth[day].test(nth)) add(list, "the " + ordinal(nth + 1) + " " + std::string(kDayNames[day]));
      }
      if (cron.relative_.last.test(day)) add(list, "the last " + std::string(kDayNames[day]));
    }
    return list;
  }

  static std::string days_together(const Cron& cron) {
    auto all = cron.days_;
    if (all.set(0).all() && cron.weekdays_.all()) return "on every day";
    if (cron.day_is_star_ || cron.weekday_is_star_) return "on days that match both day fields (one of them begins with *)";
    return "on days that match either day field (neither begins with *)";
  }

  static std::string clock_set(const Cron& cron) {
    if (cron.follows_real_time_) return "follows the clock when it is set (the hour or minute begins with *)";
    switch (cron.dst_) {
      case DstRule::cron: return "a time that daylight saving skips runs right after the gap, one that it repeats runs once";
      case DstRule::skip: return "a time that daylight saving skips does not run, one that it repeats runs once";
      case DstRule::all: return "a time that daylight saving skips runs right after the gap, one that it repeats runs twice";
    }
    return {};
  }
};

CronExplanation explain(const Cron& cron) { return CronWords::explain(cron); }

}  // namespace hark
