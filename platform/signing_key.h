// Keys that tokens are signed with, of the algorithms of RFC 7518 that hark takes: HS256, RS256 and ES256. A key is of one of them and
// signs and checks in no other way, whatever a token says of itself (RFC 8725, 3.1). Values, cheap to copy; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

struct evp_pkey_st;

namespace hark {

class SigningKey {
 public:
  enum class Algorithm { hs256, rs256, es256 };

  // HS256: bytes that both sides know, at least limits::kTokenSecretLeast. What is a key in PEM is none: a public key, which everybody
  // knows, must never pass for a secret.
  static Result<SigningKey> from_secret(std::string secret);
  // A public key, a certificate, or a private key (which signs as well): RSA of at least limits::kTokenRsaBits, or P-256.
  static Result<SigningKey> from_pem(std::string_view pem);
  static bool is_pem(std::string_view text);
  // RFC 7517: the keys of a set that are for checking signatures of these algorithms; others are passed over.
  static Result<std::vector<SigningKey>> from_jwks(std::string_view json);

  Algorithm algorithm() const { return algorithm_; }
  std::string_view name() const;                // of the algorithm, "HS256"
  const std::string& id() const { return id_; }  // `kid`; empty: it has none
  bool can_sign() const { return can_sign_; }

  bool has_signed(std::string_view message, std::string_view signature) const;
  Result<std::string> sign(std::string_view message) const;

  friend bool operator==(const SigningKey& a, const SigningKey& b);

 private:
  SigningKey() = default;
  static Result<SigningKey> of(evp_pkey_st* key, bool can_sign);  // takes it over
  static Result<SigningKey> from_numbers(const char* type, std::string_view first, std::string_view second);

  Algorithm algorithm_ = Algorithm::hs256;
  std::string id_;
  std::string secret_;                // of HS256
  std::shared_ptr<evp_pkey_st> key_;  // of the others
  bool can_sign_ = false;
};

}  // namespace hark
