#include "core/byte_size.h"

#include <charconv>

namespace hark {
namespace {

constexpr std::string_view kSuffixes = "KMGT";

}  // namespace

std::optional<std::uint64_t> parse_byte_size(std::string_view text) {
  int shift = 0;
  if (!text.empty() && kSuffixes.find(text.back()) != kSuffixes.npos) {
    shift = 10 * (static_cast<int>(kSuffixes.find(text.back())) + 1);
    text.remove_suffix(1);
  }
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (number > (std::uint64_t(INT64_MAX) >> shift)) return std::nullopt;
  return number << shift;
}

std::string byte_size_text(std::uint64_t bytes) {
  std::string suffix;
  for (const char next : kSuffixes) {
    if (bytes == 0 || bytes % 1024 != 0) break;
    bytes /= 1024;
    suffix = next;
  }
  return std::to_string(bytes) + suffix;
}

}  // namespace hark
