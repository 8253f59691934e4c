#include "sources/webhook_signature.h"

#include <optional>

#include "platform/digest.h"

namespace hark {

namespace {

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

std::optional<Digest> parse_signature(std::string_view header) {
  constexpr std::string_view kScheme = "sha256=";
  Digest digest{};
  if (!header.starts_with(kScheme)) return std::nullopt;
  header.remove_prefix(kScheme.size());
  if (header.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t at = 0; at < digest.size(); ++at) {
    const int high = hex_value(header[2 * at]);
    const int low = hex_value(header[2 * at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[at] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return digest;
}

}  // namespace

bool is_signature(std::string_view header) { return parse_signature(header).has_value(); }

bool signature_matches(std::string_view header, std::string_view body, const std::vector<std::string>& secrets) {
  const auto given = parse_signature(header);
  if (!given) return false;
  bool matches = false;
  for (const auto& secret : secrets) {
    if (secret.empty()) continue;
    matches |= equal_in_constant_time(hmac_sha256(secret, body), *given);
  }
  return matches;
}

}  // namespace hark
