#include "sources/webhook_signature.h"

#include <doctest/doctest.h>

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

std::string counting(int to) {
  std::string bytes;
  for (int i = 1; i <= to; ++i) bytes += static_cast<char>(i);
  return bytes;
}

const std::string kSecret = "It's a Secret to Everybody";
const std::string kSignature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

}  // namespace

TEST_CASE("webhook signature: the vectors of RFC 4231") {
  CHECK(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex(hmac_sha256(std::string(20, '\xaa'), std::string(50, '\xdd'))) ==
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  CHECK(hex(hmac_sha256(counting(25), std::string(50, '\xcd'))) ==
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  CHECK(hex(hmac_sha256(std::string(20, '\x0c'), "Test With Truncation")).substr(0, 32) == "a3b6167473100ee06e0c796c2955552b");
  CHECK(hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(hex(hmac_sha256(std::string(131, '\xaa'),
                        "This is a test using a larger than block-size key and a larger than block-size data. "
                        "The key needs to be hashed before being used by the HMAC algorithm.")) ==
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
  CHECK(hex(hmac_sha256("", "")) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

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
