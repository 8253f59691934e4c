// Signatures of webhooks. Pure, over raw bytes, comparing in constant time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hark {

// Is it "sha256=<64 hex digits>", whoever made it?
bool is_signature(std::string_view header);

// `header` is "sha256=<64 hex digits, any case>" (GitHub's X-Hub-Signature-256). True when any of the secrets made it; each is
// tried, whatever came before, so that the time tells nothing. An empty secret never matches.
bool signature_matches(std::string_view header, std::string_view body, const std::vector<std::string>& secrets);

}  // namespace hark
