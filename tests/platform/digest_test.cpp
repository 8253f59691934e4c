#include "platform/digest.h"

#include <doctest/doctest.h>

#include <string>

#include "core/hex.h"

using namespace hark;

namespace {

std::string sha256_of(std::string_view key, std::string_view message) { return hmac(Hash::sha256, key, {message}); }

std::string counting(int to) {
  std::string bytes;
  for (int i = 1; i <= to; ++i) bytes += static_cast<char>(i);
  return bytes;
}

}  // namespace

TEST_CASE("digest: HMAC, by the vectors of RFC 4231") {
  CHECK(to_hex(sha256_of(std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(to_hex(sha256_of("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(to_hex(sha256_of(std::string(20, '\xaa'), std::string(50, '\xdd'))) ==
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  CHECK(to_hex(sha256_of(counting(25), std::string(50, '\xcd'))) ==
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  CHECK(to_hex(sha256_of(std::string(20, '\x0c'), "Test With Truncation")).substr(0, 32) == "a3b6167473100ee06e0c796c2955552b");
  CHECK(to_hex(sha256_of(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(to_hex(sha256_of(std::string(131, '\xaa'),
                        "This is a test using a larger than block-size key and a larger than block-size data. "
                        "The key needs to be hashed before being used by the HMAC algorithm.")) ==
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
  CHECK(to_hex(sha256_of("", "")) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("digest: SHA-256, by the examples of FIPS 180-4, in pieces") {
  Sha256 two_blocks;
  two_blocks.add("abcdbcdecdefdefgefghfghighijhi");
  two_blocks.add("");
  two_blocks.add("jkijkljklmklmnlmnomnopnopq");
  CHECK(to_hex(two_blocks.finish()) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(to_hex(Sha256().finish()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("digest: equal is equal, in every byte") {
  const auto one = sha256_of("key", "message");
  for (std::size_t at = 0; at < one.size(); ++at) {
    auto other = one;
    other[at] ^= 1;
    CHECK_FALSE(equal_in_constant_time(one, other));
  }
  CHECK(equal_in_constant_time(one, sha256_of("key", "message")));
  CHECK_FALSE(equal_in_constant_time(one, one.substr(1)));
  CHECK(equal_in_constant_time("", ""));
}

TEST_CASE("digest: HMAC of other hashes, by RFC 2202 and RFC 4231, of a message in pieces") {
  CHECK(to_hex(hmac(Hash::sha1, std::string(20, '\x0b'), {"Hi ", "", "There"})) == "b617318655057264e28bc0b6fb378c8ef146be00");
  CHECK(to_hex(hmac(Hash::sha1, std::string(80, '\xaa'), {"Test Using Larger Than Block-Size Key - Hash Key First"})) == "aa4ae5e15272d00e95705637ce8a3b55ed402112");
  CHECK(to_hex(hmac(Hash::sha512, std::string(20, '\x0b'), {"Hi There"})) ==
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
}

TEST_CASE("digest: Ed25519, by the vectors of RFC 8032") {
  const auto key = *from_hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const auto signature = *from_hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  CHECK(ed25519_signed(key, "\x72", signature));
  CHECK_FALSE(ed25519_signed(key, "\x73", signature));
  CHECK_FALSE(ed25519_signed(key, "", signature));
  CHECK_FALSE(ed25519_signed(key, "\x72", signature.substr(1)));
  CHECK_FALSE(ed25519_signed(key, "\x72", ""));
  CHECK_FALSE(ed25519_signed(key.substr(1), "\x72", signature));
  CHECK(ed25519_signed(*from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), "",
                       *from_hex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")));
}
