#include "platform/signing_key.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/limits.h"
#include "core/payload.h"
#include "platform/digest.h"

namespace hark {

using nlohmann::json;

namespace {

struct FreeKeyPart {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(OSSL_PARAM_BLD* build) const { OSSL_PARAM_BLD_free(build); }
  void operator()(OSSL_PARAM* parameters) const { OSSL_PARAM_free(parameters); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreeKeyPart>;

constexpr std::size_t kEcNumber = 32;  // of P-256; a signature is two (RFC 7518, 3.4)

const unsigned char* octets(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* octets(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

Owned<BIGNUM> number_of(std::string_view bytes) { return Owned<BIGNUM>(BN_bin2bn(octets(bytes), static_cast<int>(bytes.size()), nullptr)); }

// As RFC 7518 writes it, from and to the DER that OpenSSL knows.
std::string der_of(std::string_view signature) {
  if (signature.size() != 2 * kEcNumber) return {};
  const Owned<ECDSA_SIG> pair(ECDSA_SIG_new());
  auto r = number_of(signature.substr(0, kEcNumber)), s = number_of(signature.substr(kEcNumber));
  if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return {};
  (void)r.release();
  (void)s.release();
  std::string der(static_cast<std::size_t>(std::max(i2d_ECDSA_SIG(pair.get(), nullptr), 0)), '\0');
  auto* to = octets(der);
  return i2d_ECDSA_SIG(pair.get(), &to) > 0 ? der : std::string();
}
std::string pair_of(std::string_view der) {
  const auto* from = octets(der);
  const Owned<ECDSA_SIG> pair(d2i_ECDSA_SIG(nullptr, &from, static_cast<long>(der.size())));
  std::string signature(2 * kEcNumber, '\0');
  const bool done = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), octets(signature), kEcNumber) == kEcNumber &&
                    BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), octets(signature) + kEcNumber, kEcNumber) == kEcNumber;
  return done ? signature : std::string();
}

// Nobody is there to be asked for one.
int no_password(char*, int, int, void*) { return -1; }

// A member of a JSON Web Key, decoded; nullopt: it is not there, or no base64url.
std::optional<std::string> bytes_of_member(const json& key, const char* name) {
  const auto found = key.find(name);
  if (found == key.end() || !found->is_string()) return std::nullopt;
  return from_base64url(found->get_ref<const std::string&>());
}

bool says(const json& key, const char* name, std::string_view value) {
  const auto found = key.find(name);
  return found == key.end() || (found->is_string() && found->get_ref<const std::string&>() == value);
}

// RFC 7517, 4.2 to 4.4: is it for checking signatures, in this way?
bool is_for_checking(const json& key, std::string_view algorithm) {
  if (!says(key, "use", "sig") || !says(key, "alg", algorithm)) return false;
  const auto operations = key.find("key_ops");
  return operations == key.end() || (operations->is_array() && std::find(operations->begin(), operations->end(), "verify") != operations->end());
}

}  // namespace

std::string_view SigningKey::name() const {
  switch (algorithm_) {
    case Algorithm::hs256: return "HS256";
    case Algorithm::rs256: return "RS256";
    case Algorithm::es256: return "ES256";
  }
  return "";
}

bool SigningKey::is_pem(std::string_view text) { return text.find("-----BEGIN ") != text.npos; }

Result<SigningKey> SigningKey::from_secret(std::string secret) {
  if (is_pem(secret)) return Error{"a key in PEM is no secret of HS256", "give it in a file of its own"};
  if (secret.size() < limits::kTokenSecretLeast) {
    return Error{"a secret of HS256 has at least " + std::to_string(limits::kTokenSecretLeast) + " bytes (RFC 7518, 3.2), this one has " + std::to_string(secret.size()),
                 "`openssl rand -hex 32` makes one"};
  }
  SigningKey made;
  made.secret_ = std::move(secret);
  made.can_sign_ = true;
  return made;
}

Result<SigningKey> SigningKey::of(evp_pkey_st* key, bool can_sign) {
  SigningKey made;
  made.key_ = std::shared_ptr<evp_pkey_st>(key, EVP_PKEY_free);
  made.can_sign_ = can_sign;
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
    if (EVP_PKEY_get_bits(key) < limits::kTokenRsaBits) {
      return Error{"an RSA key has at least " + std::to_string(limits::kTokenRsaBits) + " bits (RFC 7518, 3.3), this one has " + std::to_string(EVP_PKEY_get_bits(key)), ""};
    }
    made.algorithm_ = Algorithm::rs256;
    return made;
  }
  char group[64] = "";
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, group, sizeof group, nullptr) == 1 && std::string_view(group) == "prime256v1") {
    made.algorithm_ = Algorithm::es256;
    return made;
  }
  return Error{"a key of tokens is RSA, or EC on P-256", "`openssl ecparam -name prime256v1 -genkey -noout` makes one"};
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem) {
  const auto bio = [&] { return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); };
  ERR_clear_error();
  EVP_PKEY* key = PEM_read_bio_PUBKEY(bio().get(), nullptr, no_password, nullptr);
  if (key == nullptr) {
    if (const Owned<X509> certificate(PEM_read_bio_X509(bio().get(), nullptr, no_password, nullptr)); certificate) key = X509_get_pubkey(certificate.get());
  }
  bool can_sign = false;
  if (key == nullptr) {
    key = PEM_read_bio_PrivateKey(bio().get(), nullptr, no_password, nullptr);
    can_sign = key != nullptr;
  }
  ERR_clear_error();
  if (key == nullptr) return Error{"it holds no public key, certificate or unencrypted private key in PEM", ""};
  return of(key, can_sign);
}

// Of the public numbers that a JSON Web Key has: n and e, or x and y.
Result<SigningKey> SigningKey::from_numbers(const char* type, std::string_view first, std::string_view second) {
  const bool rsa = std::string_view(type) == "RSA";
  const Owned<OSSL_PARAM_BLD> build(OSSL_PARAM_BLD_new());
  const auto n = number_of(first), e = number_of(second);
  const auto point = "\x04" + std::string(first) + std::string(second);
  const bool told = build && n && e &&
                    (rsa ? OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 && OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1
                         : OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
                               OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) == 1);
  const Owned<OSSL_PARAM> parameters(told ? OSSL_PARAM_BLD_to_param(build.get()) : nullptr);
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  const bool made = parameters && context && EVP_PKEY_fromdata_init(context.get()) == 1 && EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) == 1;
  ERR_clear_error();
  if (!made || key == nullptr) return Error{std::string("its numbers are no ") + type + " key", ""};
  return of(key, false);
}

Result<std::vector<SigningKey>> SigningKey::from_jwks(std::string_view text) {
  const auto set = parse_json(text, "a JSON Web Key Set");
  if (!set) return set.error();
  const auto listed = set->is_object() ? set->find("keys") : set->end();
  if (!set->is_object() || listed == set->end() || !listed->is_array()) return Error{"a JSON Web Key Set is an object with a list `keys` (RFC 7517, 5)", ""};
  if (listed->size() > limits::kTokenKeys) return Error{"it has more than " + std::to_string(limits::kTokenKeys) + " keys", ""};
  std::vector<SigningKey> keys;
  for (std::size_t at = 0; at < listed->size(); ++at) {
    const auto& key = (*listed)[at];
    const auto kind = key.is_object() ? key.value("kty", json()) : json();
    Result<SigningKey> made = Error{"it is not one of these", ""};
    if (kind == "oct" && is_for_checking(key, "HS256")) {
      const auto secret = bytes_of_member(key, "k");
      made = secret ? from_secret(*secret) : Result<SigningKey>(Error{"`k` is no base64url", ""});
    } else if (kind == "RSA" && is_for_checking(key, "RS256")) {
      const auto n = bytes_of_member(key, "n"), e = bytes_of_member(key, "e");
      made = n && e ? from_numbers("RSA", *n, *e) : Result<SigningKey>(Error{"`n` and `e` are to be base64url", ""});
    } else if (kind == "EC" && is_for_checking(key, "ES256") && key.value("crv", json()) == "P-256") {
      const auto x = bytes_of_member(key, "x"), y = bytes_of_member(key, "y");
      const bool whole = x && y && x->size() == kEcNumber && y->size() == kEcNumber;
      made = whole ? from_numbers("EC", *x, *y) : Result<SigningKey>(Error{"`x` and `y` are to be 32 bytes in base64url", ""});
    } else {
      continue;
    }
    if (!made) return Error{"key " + std::to_string(at + 1) + ": " + made.error().message, made.error().cure};
    if (const auto id = key.find("kid"); id != key.end() && id->is_string()) made->id_ = id->get<std::string>();
    made->can_sign_ = false;  // who checks tokens has no business making them
    keys.push_back(std::move(*made));
  }
  if (keys.empty()) return Error{"none of its keys is for checking signatures with HS256, RS256 or ES256", ""};
  return keys;
}

bool SigningKey::has_signed(std::string_view message, std::string_view signature) const {
  if (algorithm_ == Algorithm::hs256) return equal_in_constant_time(hmac(Hash::sha256, secret_, {message}), signature);
  const auto der = algorithm_ == Algorithm::es256 ? der_of(signature) : std::string(signature);
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  const bool good = !der.empty() && context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
                    EVP_DigestVerify(context.get(), octets(der), der.size(), octets(message), message.size()) == 1;
  ERR_clear_error();
  return good;
}

Result<std::string> SigningKey::sign(std::string_view message) const {
  if (!can_sign_) return Error{"this key only checks signatures", "the private key signs, or a secret that both sides know"};
  if (algorithm_ == Algorithm::hs256) return hmac(Hash::sha256, secret_, {message});
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  std::size_t size = 0;
  std::string signature;
  bool done = context && EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
              EVP_DigestSign(context.get(), nullptr, &size, octets(message), message.size()) == 1;
  if (done) {
    signature.resize(size);
    done = EVP_DigestSign(context.get(), octets(signature), &size, octets(message), message.size()) == 1;
    signature.resize(size);
  }
  if (done && algorithm_ == Algorithm::es256) signature = pair_of(signature);
  ERR_clear_error();
  if (!done || signature.empty()) return Error{"OpenSSL cannot sign with this key", ""};
  return signature;
}

bool operator==(const SigningKey& a, const SigningKey& b) {
  if (a.algorithm_ != b.algorithm_ || a.id_ != b.id_ || a.secret_ != b.secret_ || a.can_sign_ != b.can_sign_) return false;
  return a.key_ == b.key_ || (a.key_ && b.key_ && EVP_PKEY_eq(a.key_.get(), b.key_.get()) == 1);
}

}  // namespace hark
