#include "sources/webhook_signature.h"

#include <doctest/doctest.h>

#include "platform/digest.h"

using namespace hark;

namespace {

std::string hex(const std::array<std::uint8_t, 32>& digest) {
  std::string text;
  for (const auto byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

const std::string kSecret = "It's a Secret to Everybody";
const std::string kSignature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

}  // namespace

TEST_CASE("webhook signature: GitHub's documented example, in any case of its digits") {
  CHECK(signature_matches("sha256=" + kSignature, "Hello, World!", {kSecret}));
  std::string upper = kSignature;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  CHECK(signature_matches("sha256=" + upper, "Hello, World!", {kSecret}));
}

TEST_CASE("webhook signature: any of the secrets may have made it, an empty one never") {
  CHECK(signature_matches("sha256=" + kSignature, "Hello, World!", {"new", kSecret}));
  CHECK(signature_matches("sha256=" + kSignature, "Hello, World!", {kSecret, "old"}));
  CHECK_FALSE(signature_matches("sha256=" + kSignature, "Hello, World!", {"new", "old"}));
  CHECK_FALSE(signature_matches("sha256=" + kSignature, "Hello, World!", {}));
  CHECK_FALSE(signature_matches("sha256=" + hex(hmac_sha256("", "x")), "x", {""}));
}

TEST_CASE("webhook signature: another body and every malformed header are refused") {
  CHECK_FALSE(signature_matches("sha256=" + kSignature, "Hello, World", {kSecret}));
  for (const std::string& bad :
       {std::string(), std::string("sha256="), kSignature, "sha1=" + kSignature, "SHA256=" + kSignature, " sha256=" + kSignature,
        "sha256=" + kSignature + "0", "sha256=" + kSignature.substr(1), "sha256=" + kSignature.substr(0, 63) + "g",
        "sha256=" + kSignature + ",sha256=" + kSignature, "sha256=" + std::string(64, '\0')}) {
    CAPTURE(bad);
    CHECK_FALSE(signature_matches(bad, "Hello, World!", {kSecret}));
  }
  for (std::size_t at = 0; at < kSignature.size(); ++at) {
    auto wrong = kSignature;
    wrong[at] = wrong[at] == '0' ? '1' : '0';
    CHECK_FALSE(signature_matches("sha256=" + wrong, "Hello, World!", {kSecret}));
  }
}
