#include "platform/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

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

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

void check(bool done) {
  if (!done) throw std::runtime_error("OpenSSL has no SHA-256, or no HMAC with it");
}

}  // namespace

Digest hmac_sha256(std::string_view key, std::string_view message) {
  Digest digest{};
  std::size_t size = 0;
  char name[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0), OSSL_PARAM_construct_end()};
  const std::unique_ptr<EVP_MAC_CTX, FreeMac> context(EVP_MAC_CTX_new(hmac()));
  // An empty key is one of RFC 2104's, but a null pointer would tell OpenSSL to keep the key it has.
  check(context && EVP_MAC_init(context.get(), key.empty() ? bytes_of("") : bytes_of(key), key.size(), parameters) == 1 &&
        EVP_MAC_update(context.get(), bytes_of(message), message.size()) == 1 &&
        EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) == 1);
  return digest;
}

bool equal_in_constant_time(const Digest& a, const Digest& b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

struct Sha256::State {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  check(state_->context && EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) { check(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1); }

Digest Sha256::finish() {
  Digest digest{};
  check(EVP_DigestFinal_ex(state_->context.get(), digest.data(), nullptr) == 1);
  return digest;
}

}  // namespace hark
