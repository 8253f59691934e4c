#include <ctime>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "core/cron.h"
#include "core/cron_words.h"
#include "platform/clock.h"
#include "platform/zoneinfo.h"

namespace hark {

namespace {

std::string local_text(WallTime time, const TimeZone& zone) {
  using namespace std::chrono;
  const auto offset = zone.offset(time);
  auto text = to_rfc3339(time + offset);  // "….000Z", with the clock of the zone
  text.resize(text.find('.'));
  text.replace(text.find('T'), 1, " ");
  const auto minutes_east = duration_cast<minutes>(offset).count();
  char suffix[16];
  std::snprintf(suffix, sizeof suffix, " %c%02d:%02d", minutes_east < 0 ? '-' : '+', int(std::abs(minutes_east) / 60), int(std::abs(minutes_east) % 60));
  const weekday day{floor<days>(time + offset)};
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  return std::string(kDays[day.c_encoding()]) + " " + text + suffix;
}

// A date, or a date and a time, by the clock of the zone.
std::optional<WallTime> local_time(const std::string& text, const TimeZone& zone) {
  std::tm read{};
  for (const char* format : {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    read = {};
    const char* end = strptime(text.c_str(), format, &read);
    if (end == nullptr || *end != '\0') continue;
    const auto day = std::chrono::year_month_day(std::chrono::year(read.tm_year + 1900), std::chrono::month(unsigned(read.tm_mon + 1)),
                                                 std::chrono::day(unsigned(read.tm_mday)));
    if (!day.ok()) return std::nullopt;
    const auto time = std::chrono::hours(read.tm_hour) + std::chrono::minutes(read.tm_min) + std::chrono::seconds(read.tm_sec);
    return zone.to_moments(std::chrono::local_days(day) + time).first;
  }
  return std::nullopt;
}

struct Asked {
  Cron cron;
  TimeZone zone;
  WallTime after;  // the times wanted are later
};

Result<Asked> read_command(const CronCommand& command) {
  if (command.words.size() != 1) {
    return Error{"the expression came as " + std::to_string(command.words.size()) + " words, wanted one",
                 "quote it, or the shell takes it apart: hark cron next '0 9 * * MON'"};
  }
  auto cron = Cron::parse(command.words.front());
  if (!cron) return cron.error();
  cron->set_dst(dst_rule(command.dst));
  auto zone = command.timezone.empty() ? local_zone() : find_zone(command.timezone);
  if (!zone) return zone.error();
  auto after = SystemClock().now().wall;
  if (!command.from.empty()) {
    auto from = from_rfc3339(command.from);
    if (!from) from = local_time(command.from, *zone);
    if (!from) return Error{"--from " + output::printable(command.from) + " is no time", "write 2026-03-29, '2026-03-29 01:30' or 2026-03-29T01:30:00+01:00"};
    after = *from - std::chrono::microseconds(1);
  }
  return Asked{*cron, *zone, after};
}

nlohmann::json as_json(const std::vector<WallTime>& slots) {
  auto list = nlohmann::json::array();
  for (const auto slot : slots) list.push_back(to_rfc3339(slot));
  return list;
}

}  // namespace

int cron_next_command(const CronCommand& command) {
  const auto asked = read_command(command);
  if (!asked) {
    output::complain(asked.error());
    return exit_code::kUsage;
  }
  const auto slots = next_slots(asked->cron, asked->after, asked->zone, command.count);
  if (command.json) {
    output::print_json({{"cron", command.words.front()}, {"timezone", asked->zone.name()}, {"next", as_json(slots)}});
    return exit_code::kOk;
  }
  for (const auto slot : slots) output::print_line(local_text(slot, asked->zone));
  if (asked->cron.at_boot()) {
    output::print_line(explain(asked->cron).rules.front());
  } else if (slots.empty()) {
    output::complain(Error{"there is no later time before the year 9900", "ask with an earlier --from"});
    return exit_code::kFailed;
  }
  return exit_code::kOk;
}

int cron_explain_command(const CronCommand& command) {
  const auto asked = read_command(command);
  if (!asked) {
    output::complain(asked.error());
    return exit_code::kUsage;
  }
  const auto words = explain(asked->cron);
  const auto slots = next_slots(asked->cron, asked->after, asked->zone, command.count);
  if (command.json) {
    nlohmann::json fields = nlohmann::json::object();
    for (const auto& [name, text] : words.fields) fields[name] = text;
    output::print_json({{"cron", command.words.front()}, {"timezone", asked->zone.name()}, {"fields", fields}, {"rules", words.rules}, {"next", as_json(slots)}});
    return exit_code::kOk;
  }
  for (const auto& [name, text] : words.fields) output::print_line(name + std::string(14 - name.size(), ' ') + text);
  for (const auto& rule : words.rules) output::print_line(rule);
  if (slots.empty()) return exit_code::kOk;
  output::print_line("");
  output::print_line("next in " + asked->zone.name() + ":");
  for (const auto slot : slots) output::print_line("  " + local_text(slot, asked->zone));
  return exit_code::kOk;
}

}  // namespace hark
