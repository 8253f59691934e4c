#include "reporters/line_limit.h"

namespace hark {

namespace {

constexpr auto kSecond = std::chrono::seconds(1);
constexpr auto kLook = std::chrono::milliseconds(100);

}  // namespace

bool LineLimit::admit(const std::string& kind, SteadyTime now) {
  if (most_ == 0) return true;
  auto& second = seconds_.try_emplace(kind, Second{now}).first->second;
  const bool admitted = ++second.lines <= most_;
  if (!admitted) ++second.left_out;
  return admitted;
}

std::vector<LineLimit::LeftOut> LineLimit::left_out(SteadyTime now) {
  std::vector<LeftOut> told;
  if (now - looked_ < kLook) return told;  // not for every line
  looked_ = now;
  std::erase_if(seconds_, [&](const auto& each) {
    const auto& [kind, second] = each;
    if (now - second.begin < kSecond) return false;
    if (second.left_out > 0) told.push_back({kind, second.left_out});
    return true;
  });
  return told;
}

}  // namespace hark
