// Signatures of webhooks. Pure, over raw bytes, comparing in constant time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hark {

std::array<std::uint8_t, 32> hmac_sha256(std::string_view key, std::string_view message);  // RFC 2104 with FIPS 180-4's SHA-256

// Is it "sha256=<64 hex digits>", whoever made it?
bool is_signature(std::string_view header);

// `header` is "sha256=<64 hex digits, any case>" (GitHub's X-Hub-Signature-256). True when any of the secrets made it; each is
// tried, whatever came before, so that the time tells nothing. An empty secret never matches.
bool signature_matches(std::string_view header, std::string_view body, const std::vector<std::string>& secrets);

}  // namespace hark
