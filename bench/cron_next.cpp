// What one next fire costs, of expressions that search little and much.   cron_next  ->  a line each: nanoseconds, expression
#include "bench/stamp.h"
#include "core/cron.h"
#include "platform/zoneinfo.h"

using namespace hark;

int main() {
  const auto zone = find_zone("Europe/Berlin");
  if (!zone) return 1;
  for (const char* text : {"* * * * *", "0 9 * * MON", "*/5 9-17 * * 1-5", "30 2 L * *", "0 0 29 2 MON#5"}) {
    const auto cron = Cron::parse(text);
    constexpr int kTimes = 20'000;
    WallTime at{std::chrono::seconds(1'790'000'000)};
    const auto begun = bench::now_ns();
    for (int i = 0; i < kTimes; ++i) {
      const auto next = cron->next(at, *zone);
      at = next ? *next : WallTime{std::chrono::seconds(1'790'000'000)};
      if (at > WallTime{std::chrono::seconds(4'000'000'000)}) at = WallTime{std::chrono::seconds(1'790'000'000)};
    }
    std::printf("%.0f %s\n", double(bench::now_ns() - begun) / kTimes, text);
  }
}
