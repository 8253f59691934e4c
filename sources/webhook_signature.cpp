#include "sources/webhook_signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>
#include <optional>
#include <stdexcept>

namespace hark {

namespace {

struct FreeMac {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

// Fetching asks the providers under a lock and takes longer than a short message's HMAC, so it is done once.
EVP_MAC* hmac() {
  static const std::unique_ptr<EVP_MAC, FreeMac> fetched(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  return fetched.get();
}

using Digest = std::array<std::uint8_t, 32>;

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

std::array<std::uint8_t, 32> hmac_sha256(std::string_view key, std::string_view message) {
  Digest digest{};
  std::size_t size = 0;
  char name[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0), OSSL_PARAM_construct_end()};
  const std::unique_ptr<EVP_MAC_CTX, FreeMac> context(EVP_MAC_CTX_new(hmac()));
  // An empty key is one of RFC 2104's, but a null pointer would tell OpenSSL to keep the key it has.
  const auto* bytes = reinterpret_cast<const unsigned char*>(key.empty() ? "" : key.data());
  if (!context || EVP_MAC_init(context.get(), bytes, key.size(), parameters) != 1 ||
      EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(message.data()), message.size()) != 1 ||
      EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) != 1) {
    throw std::runtime_error("OpenSSL has no HMAC with SHA-256");  // a broken installation: nothing may pass for signed
  }
  return digest;
}

bool is_signature(std::string_view header) { return parse_signature(header).has_value(); }

bool signature_matches(std::string_view header, std::string_view body, const std::vector<std::string>& secrets) {
  const auto given = parse_signature(header);
  if (!given) return false;
  bool matches = false;
  for (const auto& secret : secrets) {
    if (secret.empty()) continue;
    const auto expected = hmac_sha256(secret, body);
    matches |= CRYPTO_memcmp(expected.data(), given->data(), expected.size()) == 0;
  }
  return matches;
}

}  // namespace hark
