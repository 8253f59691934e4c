#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "core/cron.h"
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

}  // namespace

int cron_next_command(const CronCommand& command) {
  if (command.words.size() != 1) {
    output::complain(Error{"the expression came as " + std::to_string(command.words.size()) + " words, wanted one",
                           "quote it, or the shell takes it apart: hark cron next '0 9 * * MON'"});
    return exit_code::kUsage;
  }
  const auto& expression = command.words.front();
  const auto cron = Cron::parse(expression);
  if (!cron) {
    output::complain(cron.error());
    return exit_code::kUsage;
  }
  const auto zone = command.timezone.empty() ? local_zone() : find_zone(command.timezone);
  if (!zone) {
    output::complain(zone.error());
    return exit_code::kUsage;
  }
  auto after = SystemClock().now().wall;
  auto slots = nlohmann::json::array();
  for (std::size_t i = 0; i < command.count; ++i) {
    const auto next = cron->next(after, *zone);
    if (!next) break;
    after = *next;
    if (command.json) {
      slots.push_back(to_rfc3339(*next));
    } else {
      output::print_line(local_text(*next, *zone));
    }
  }
  if (command.json) output::print_json({{"cron", expression}, {"timezone", zone->name()}, {"next", slots}});
  return exit_code::kOk;
}

}  // namespace hark
