#include "platform/digest.h"

#include <doctest/doctest.h>

#include <string>

using namespace hark;

namespace {

std::string hex(const Digest& digest) {
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

}  // namespace

TEST_CASE("digest: HMAC, by the vectors of RFC 4231") {
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

TEST_CASE("digest: SHA-256, by the examples of FIPS 180-4, in pieces") {
  Sha256 two_blocks;
  two_blocks.add("abcdbcdecdefdefgefghfghighijhi");
  two_blocks.add("");
  two_blocks.add("jkijkljklmklmnlmnomnopnopq");
  CHECK(hex(two_blocks.finish()) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hex(Sha256().finish()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("digest: equal is equal, in every byte") {
  const auto one = hmac_sha256("key", "message");
  for (std::size_t at = 0; at < one.size(); ++at) {
    auto other = one;
    other[at] ^= 1;
    CHECK_FALSE(equal_in_constant_time(one, other));
  }
  CHECK(equal_in_constant_time(one, hmac_sha256("key", "message")));
}
