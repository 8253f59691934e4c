// Tokens: RFC 7515's own examples, and everything that is to be refused.
#include "platform/jwt.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/limits.h"

using namespace hark;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

// RFC 7515, appendix A.1 to A.3: the same claims, signed in three ways.
constexpr std::string_view kClaims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
constexpr std::string_view kHs = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
constexpr std::string_view kHsSignature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
constexpr std::string_view kHsKey = R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})";
constexpr std::string_view kRs = "eyJhbGciOiJSUzI1NiJ9";
constexpr std::string_view kRsSignature =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARN"
    "PvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
constexpr std::string_view kRsKey =
    R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"})";
constexpr std::string_view kEs = "eyJhbGciOiJFUzI1NiJ9";
constexpr std::string_view kEsSignature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
constexpr std::string_view kEsKey = R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";

// The same key, with its private number.
constexpr std::string_view kEsPrivate = R"(-----BEGIN EC PRIVATE KEY-----
MHcCAQEEII6bEJ5xkJi/mASH3x9dd+nLKWBuvtImO19XwhPfhPSyoAoGCCqGSM49
AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b
focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
-----END EC PRIVATE KEY-----
)";

SigningKey jwk(std::string_view key) {
  auto keys = SigningKey::from_jwks("{\"keys\":[" + std::string(key) + "]}");
  REQUIRE_MESSAGE(keys, (keys ? "" : keys.error().text()));
  return keys->at(0);
}

std::string message(std::string_view header) { return std::string(header) + "." + std::string(kClaims); }

const std::string kSecret = "0123456789abcdef0123456789abcdef";
const WallTime kNow{std::chrono::seconds(1'800'000'000)};

SigningKey secret() { return SigningKey::from_secret(kSecret).value(); }

json claims() { return {{"sub", "ci"}, {"exp", 1'800'000'060}, {"scope", "events:publish:deployment runs:read"}}; }

TokenRules rules() { return {{secret()}, "", {}, 30s}; }

std::string refused(const std::string& token, const TokenRules& by = rules(), WallTime now = kNow) {
  const auto read = verify_token(token, by, now);
  return read ? "taken" : read.error().text();
}
std::string refused(const json& said, const TokenRules& by = rules(), WallTime now = kNow) { return refused(make_token(secret(), said).value(), by, now); }

std::string with(const json& header, const json& said, const SigningKey& key) {
  const auto text = to_base64url(header.dump()) + "." + to_base64url(said.dump());
  return text + "." + to_base64url(key.sign(text).value());
}

}  // namespace

TEST_CASE("jwt: the examples of RFC 7515 are signed by their keys, and by no others") {
  struct Example {
    std::string_view header, signature, key;
  };
  const std::vector<Example> examples{{kHs, kHsSignature, kHsKey}, {kRs, kRsSignature, kRsKey}, {kEs, kEsSignature, kEsKey}};
  for (const auto& one : examples) {
    for (const auto& other : examples) {
      CAPTURE(one.header);
      CAPTURE(other.key);
      CHECK(jwk(other.key).has_signed(message(one.header), *from_base64url(one.signature)) == (one.key == other.key));
    }
    const auto key = jwk(one.key);
    const auto signature = *from_base64url(one.signature);
    for (std::size_t at = 0; at < signature.size(); at += 7) {
      auto other = signature;
      other[at] = static_cast<char>(other[at] ^ 1);
      CHECK_FALSE(key.has_signed(message(one.header), other));
    }
    CHECK_FALSE(key.has_signed(message(one.header) + "x", signature));
    CHECK_FALSE(key.has_signed(message(one.header), signature.substr(1)));
    CHECK_FALSE(key.has_signed(message(one.header), ""));
    CHECK_FALSE(key.can_sign());
  }
}

TEST_CASE("jwt: a key signs what it checks") {
  const auto own = SigningKey::from_pem(kEsPrivate);
  REQUIRE_MESSAGE(own, (own ? "" : own.error().text()));
  CHECK(own->can_sign());
  CHECK(own->name() == "ES256");
  const auto token = make_token(*own, claims());
  REQUIRE(token);
  const auto read = verify_token(*token, {{jwk(kEsKey)}, "", {}, 30s}, kNow);
  REQUIRE_MESSAGE(read, (read ? "" : read.error().text()));
  CHECK(read->subject == "ci");
  CHECK(read->scopes == std::vector<std::string>{"events:publish:deployment", "runs:read"});
  CHECK(read->expires == WallTime(std::chrono::seconds(1'800'000'060)));
  CHECK_FALSE(make_token(jwk(kEsKey), claims()));
  for (int i = 0; i < 50; ++i) {  // numbers of every length
    auto said = claims();
    said["n"] = i;
    REQUIRE(verify_token(make_token(*own, said).value(), {{*own}, "", {}, 30s}, kNow));
  }
}

TEST_CASE("jwt: what a token says of its algorithm makes no key another") {
  // The classic: a public key, which everybody has, as the secret of HS256.
  CHECK_FALSE(SigningKey::from_secret(std::string(kEsPrivate)));
  const TokenRules by{{jwk(kEsKey)}, "", {}, 30s};
  for (const auto* algorithm : {"none", "None", "HS256", "hs256", "RS256", "ES384", "", "ES256 "}) {
    CAPTURE(algorithm);
    CHECK(refused(with({{"alg", algorithm}}, claims(), secret()), by) == "there is no key for its `alg`");
  }
  CHECK(refused(to_base64url(R"({"alg":"none"})") + "." + to_base64url(claims().dump()) + ".", by) == "there is no key for its `alg`");
  CHECK(refused(with({{"typ", "JWT"}}, claims(), secret())) == "its header says no `alg`");
  CHECK(refused(with({{"alg", 5}}, claims(), secret())) == "its header says no `alg`");
  CHECK(refused(with({{"alg", "HS256"}, {"crit", {"exp"}}}, claims(), secret())).find("crit") != std::string::npos);
  CHECK(refused(with({{"alg", "HS256"}}, claims(), SigningKey::from_secret(kSecret + "x").value())) == "none of the keys has signed it");
  CHECK(refused(with({{"alg", "HS256"}, {"jwk", {{"kty", "oct"}, {"k", "AAAA"}}}, {"jku", "http://127.0.0.1/"}}, claims(), secret())) == "taken");  // not looked at
}

TEST_CASE("jwt: a key with a name is taken by its name, others by trying") {
  const auto set = SigningKey::from_jwks(R"({"keys":[{"kty":"oct","kid":"old","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"},{"kty":"oct","kid":"new","k":"eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg"}]})");
  REQUIRE(set);
  const TokenRules by{*set, "", {}, 30s};
  CHECK(refused(with({{"alg", "HS256"}, {"kid", "old"}}, claims(), secret()), by) == "taken");
  CHECK(refused(with({{"alg", "HS256"}, {"kid", "new"}}, claims(), secret()), by) == "none of the keys has signed it");
  CHECK(refused(with({{"alg", "HS256"}, {"kid", "another"}}, claims(), secret()), by) == "taken");
  CHECK(refused(with({{"alg", "HS256"}}, claims(), secret()), by) == "taken");
}

TEST_CASE("jwt: times") {
  auto said = claims();
  CHECK(refused(said) == "taken");
  CHECK(refused(said, rules(), kNow + 89s) == "taken");
  CHECK(refused(said, rules(), kNow + 90s) == "it has expired");
  said.erase("exp");
  CHECK(refused(said).starts_with("it has no `exp`"));
  for (const json& time : {json("1800000060"), json(nullptr), json(-1), json(1e300), json(true)}) {
    said["exp"] = time;
    CAPTURE(time.dump());
    CHECK(refused(said) == "its `exp` is no time in seconds since 1970");
  }
  said["exp"] = 1'800'000'060.5;
  CHECK(refused(said) == "taken");
  said["exp"] = 253'402'300'799;  // the year 9999, beyond what nanoseconds can count
  CHECK(refused(said) == "taken");
  CHECK(verify_token(*make_token(secret(), said), rules(), kNow)->expires == kNow + std::chrono::years(100));
  said["nbf"] = 253'402'300'799;
  CHECK(refused(said) == "it is not valid yet");
  said["nbf"] = 1'800'000'030;
  CHECK(refused(said) == "taken");
  said["nbf"] = 1'800'000'031;
  CHECK(refused(said) == "it is not valid yet");
}

TEST_CASE("jwt: whose it is, and for whom") {
  auto said = claims();
  auto by = rules();
  by.issuer = "joe";
  CHECK(refused(said, by) == "it is of another issuer");
  said["iss"] = "joe";
  CHECK(refused(said, by) == "taken");
  said["iss"] = {"joe"};
  CHECK(refused(said, by) == "it is of another issuer");

  said = claims();
  said["aud"] = "hark";
  CHECK(refused(said).starts_with("it is for an audience"));
  by = rules();
  by.audiences = {"hark", "other"};
  CHECK(refused(said, by) == "taken");
  said["aud"] = {"else", "other"};
  CHECK(refused(said, by) == "taken");
  said["aud"] = {"else", 5};
  CHECK(refused(said, by) == "it is for another audience");
  CHECK(refused(claims(), by) == "it is for another audience");

  for (const json& subject : {json(), json(""), json(5), json(std::string(limits::kTokenSubject + 1, 's')), json("a,b"), json("a\nb")}) {
    said = claims();
    said["sub"] = subject;
    CAPTURE(subject.dump());
    CHECK(refused(said).starts_with("its `sub` is to say who it is of"));
  }
}

TEST_CASE("jwt: scopes") {
  const auto scopes = [](const json& said) {
    const auto read = verify_token(make_token(secret(), said).value(), rules(), kNow);
    return read ? read->scopes : std::vector<std::string>{read.error().text()};
  };
  auto said = claims();
  said["scope"] = " a  b ";
  said["scp"] = {"c", "d e", 5};
  said["scopes"] = "f";
  CHECK(scopes(said) == std::vector<std::string>{"a", "b", "c", "d", "e", "f"});
  said = claims();
  said.erase("scope");
  CHECK(scopes(said).empty());
  std::string many;
  for (std::size_t i = 0; i <= limits::kTokenScopes; ++i) many += "s ";
  said["scope"] = many;
  CHECK(scopes(said).at(0).starts_with("it has more than"));
}

TEST_CASE("jwt: what is no token") {
  const auto good = make_token(secret(), claims()).value();
  for (const auto* text : {"", ".", "..", "a.b", "a.b.c", "a.b.c.d"}) {
    CAPTURE(text);
    CHECK(refused(std::string(text)) != "taken");
  }
  CHECK(refused(good + ".") == "a token is three parts with dots between them");
  CHECK(refused(good + "=").find("base64url") != std::string::npos);
  CHECK(refused(" " + good).find("base64url") != std::string::npos);
  CHECK(refused(std::string(limits::kToken + 1, 'a')).starts_with("it is longer than"));
  // Bits that no byte has would be a second text of the same token.
  auto other = good;
  other.back() = other.back() == 'B' ? 'C' : 'B';
  CHECK(refused(other) != "taken");
  const auto twice = to_base64url(R"({"alg":"HS256"})") + "." + to_base64url(R"({"sub":"a","sub":"b","exp":1800000060})");
  CHECK(refused(twice + "." + to_base64url(secret().sign(twice).value())) == "its payload is no JSON object");
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto flipped = good;
    flipped[at] = flipped[at] == 'A' ? 'Q' : 'A';
    if (flipped != good) REQUIRE_MESSAGE(refused(flipped) != "taken", at);
  }
}

TEST_CASE("jwt: keys that are too weak, or none") {
  CHECK(SigningKey::from_secret(std::string(31, 'x')).error().message.find("at least 32 bytes") != std::string::npos);
  CHECK(SigningKey::from_pem("nothing").error().message.find("no public key") != std::string::npos);
  CHECK(SigningKey::from_pem(std::string(kEsPrivate).substr(0, 90)).error().message.find("no public key") != std::string::npos);
  const auto jwks = [](const std::string& keys) {
    const auto read = SigningKey::from_jwks("{\"keys\":[" + keys + "]}");
    return read ? std::to_string(read->size()) : read.error().text();
  };
  const std::string ec(kEsKey);
  const auto also = [&](const std::string& more) { return ec.substr(0, ec.size() - 1) + "," + more + "}"; };
  CHECK(jwks(also(R"("use":"sig","alg":"ES256","key_ops":["verify"])")) == "1");
  for (const auto* other : {R"("use":"enc")", R"("alg":"ES512")", R"("key_ops":["sign"])", R"("use":5)"}) {
    CHECK(jwks(also(other)) == "none of its keys is for checking signatures with HS256, RS256 or ES256");
    CHECK(jwks(also(other) + "," + ec) == "1");
  }
  CHECK(jwks(R"({"kty":"OKP","crv":"Ed25519","x":"AA"},5)") == "none of its keys is for checking signatures with HS256, RS256 or ES256");
  CHECK(jwks(R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})").starts_with("key 1: `x` and `y`"));
  CHECK(jwks(R"({"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})") == "key 1: its numbers are no EC key");
  CHECK(jwks(R"({"kty":"RSA","n":"oQ","e":"AQAB"})").find("at least 2048 bits") != std::string::npos);
  CHECK(jwks(R"({"kty":"oct","k":"AAAA"})").find("at least 32 bytes") != std::string::npos);
  CHECK_FALSE(SigningKey::from_jwks("[]"));
  CHECK_FALSE(SigningKey::from_jwks(R"({"keys":5})"));
}
