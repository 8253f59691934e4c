#include "core/rate.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/limits.h"
#include "core/printable.h"

namespace hark {

namespace {

using namespace std::chrono_literals;

struct Unit {
  char sign;
  Duration length;
};
constexpr std::array<Unit, 4> kUnits = {{{'s', 1s}, {'m', 1min}, {'h', 1h}, {'d', 24h}}};

Error not_a_rate(std::string_view text, const std::string& why) {
  return Error{"expected a rate such as \"100/s\" or \"10/m\", found \"" + printable(text, limits::kShownValue) + "\": " + why, ""};
}

}  // namespace

Result<Rate> Rate::parse(std::string_view text, std::int64_t most) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return not_a_rate(text, "there is no `/` and unit behind the number");
  const auto digits = text.substr(0, slash);
  const auto sign = text.substr(slash + 1);
  Rate rate;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), rate.count);
  const bool number = end == digits.data() + digits.size() && failure != std::errc::invalid_argument;
  if (!number) return not_a_rate(text, "what stands before the `/` is no whole number");
  if (failure != std::errc{} || rate.count < 1 || rate.count > most) {
    return not_a_rate(text, "the number must be from 1 to " + std::to_string(most));
  }
  const auto* unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& each) { return sign == std::string_view(&each.sign, 1); });
  if (unit == kUnits.end()) return not_a_rate(text, "the unit must be s, m, h or d");
  rate.unit = unit->length;
  return rate;
}

std::string to_string(const Rate& rate) {
  const auto* unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& each) { return each.length == rate.unit; });
  return std::to_string(rate.count) + '/' + (unit == kUnits.end() ? '?' : unit->sign);
}

Duration RateLimiter::take(SteadyTime now) {
  const auto next = std::max(used_up_to_, now) + interval_;
  if (next - now > burst_) return next - now - burst_;
  used_up_to_ = next;
  return Duration::zero();
}

}  // namespace hark
