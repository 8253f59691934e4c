#include "platform/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <stdexcept>

namespace hark {

namespace {

struct Free {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

// Fetching asks the providers under a lock and takes longer than a short message's HMAC, so it is done once.
EVP_MAC* fetched_hmac() {
  static const std::unique_ptr<EVP_MAC, Free> fetched(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  return fetched.get();
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

void check(bool done) {
  if (!done) throw std::runtime_error("OpenSSL lacks a hash, HMAC, or Ed25519");
}

const char* name_of(Hash hash) {
  switch (hash) {
    case Hash::sha1: return "SHA1";
    case Hash::sha256: return "SHA256";
    case Hash::sha512: return "SHA512";
  }
  return "";
}

}  // namespace

std::size_t size_of(Hash hash) {
  switch (hash) {
    case Hash::sha1: return 20;
    case Hash::sha256: return 32;
    case Hash::sha512: return 64;
  }
  return 0;
}

std::string hmac(Hash hash, std::string_view key, std::initializer_list<std::string_view> message) {
  std::string digest(size_of(hash), '\0');
  std::size_t size = 0;
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", const_cast<char*>(name_of(hash)), 0), OSSL_PARAM_construct_end()};
  const std::unique_ptr<EVP_MAC_CTX, Free> context(EVP_MAC_CTX_new(fetched_hmac()));
  // An empty key is one of RFC 2104's, but a null pointer would tell OpenSSL to keep the key it has.
  check(context && EVP_MAC_init(context.get(), key.empty() ? bytes_of(std::string_view("")) : bytes_of(key), key.size(), parameters) == 1);
  for (const auto piece : message) check(EVP_MAC_update(context.get(), bytes_of(piece), piece.size()) == 1);
  check(EVP_MAC_final(context.get(), bytes_of(digest), &size, digest.size()) == 1 && size == digest.size());
  return digest;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool ed25519_signed(std::string_view public_key, std::string_view message, std::string_view signature) {
  if (public_key.size() != kEd25519Key) return false;
  const std::unique_ptr<EVP_PKEY, Free> key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(public_key), public_key.size()));
  const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  check(key && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
  return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) == 1;
}

struct Sha256::State {
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  check(state_->context && EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) { check(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1); }

std::string Sha256::finish() {
  std::string digest(size_of(Hash::sha256), '\0');
  check(EVP_DigestFinal_ex(state_->context.get(), bytes_of(digest), nullptr) == 1);
  return digest;
}

}  // namespace hark
