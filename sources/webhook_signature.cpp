#include "sources/webhook_signature.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "core/base64.h"
#include "core/hex.h"
#include "core/limits.h"
#include "core/printable.h"
#include "platform/http.h"

namespace hark {

namespace {

constexpr std::string_view kSymmetric = "whsec_";
constexpr std::string_view kPublic = "whpk_";
constexpr std::int64_t kLastSecond = 253'402'300'799;  // of the year 9999: who signs milliseconds is told so
constexpr std::int64_t kFar = 100LL * 365 * 24 * 3600;  // more is not said, and fits a Duration

// Standard Webhooks 1.0, "Signature scheme": base64 behind a prefix. The libraries of its authors take a bare one as well.
std::optional<std::string> symmetric_key(std::string_view secret) {
  if (secret.starts_with(kSymmetric)) secret.remove_prefix(kSymmetric.size());
  return from_base64(secret);
}

std::optional<std::string> public_key(std::string_view secret) {
  auto key = from_base64(secret.substr(kPublic.size()));
  return key && key->size() == kEd25519Key ? key : std::nullopt;
}

// The one value of the first of these headers that is there; an error says which one is not, or is there twice: that would leave it
// open which of them was meant.
Result<std::string_view> only(const HttpHeaders& headers, const std::vector<std::string>& names, std::string_view* which = nullptr) {
  for (const auto& name : names) {
    const auto count = headers.count(name);
    if (count > 1) return Error{std::to_string(count) + " " + name + " headers, wanted one", {}};
    if (count == 0) continue;
    if (which != nullptr) *which = name;
    return *headers.get(name);
  }
  std::string wanted;
  for (const auto& name : names) wanted += (wanted.empty() ? "no " : " or ") + name;
  return Error{wanted + " header", {}};
}

// The parts of a list that begin with one of these; more than anybody sends are an error. Others may be there in any number, which the
// head's size bounds: a sender adds those of versions to come.
Result<std::vector<std::string_view>> split(std::string_view name, std::string_view list, char separator, std::initializer_list<std::string_view> known) {
  std::vector<std::string_view> parts;
  while (!list.empty()) {
    const auto end = std::min(list.find(separator), list.size());
    const auto part = list.substr(0, end);
    if (std::any_of(known.begin(), known.end(), [&](std::string_view prefix) { return part.starts_with(prefix); })) parts.push_back(part);
    list.remove_prefix(std::min(end + 1, list.size()));
    if (parts.size() > limits::kSignatures) return Error{std::string(name) + " holds more than " + std::to_string(limits::kSignatures) + " signatures", {}};
  }
  return parts;
}

bool made_by_one(const std::vector<std::string>& keys, Hash hash, std::initializer_list<std::string_view> message, const std::vector<std::string>& given) {
  bool matches = false;
  for (const auto& key : keys) {
    const auto expected = hmac(hash, key, message);
    for (const auto& each : given) matches |= equal_in_constant_time(expected, each);
  }
  return matches;
}

std::string name_of(Hash hash) {
  switch (hash) {
    case Hash::sha1: return "HMAC-SHA1";
    case Hash::sha256: return "HMAC-SHA256";
    case Hash::sha512: return "HMAC-SHA512";
  }
  return {};
}

}  // namespace

Status check_secret(const SignatureScheme& scheme, std::string_view secret) {
  const bool standard = scheme.kind == SignatureScheme::Kind::standard;
  if (standard && secret.starts_with(kPublic)) {
    if (public_key(secret)) return {};
    return Error{"expected `whpk_` and the base64 of an Ed25519 public key (32 bytes)", {}};
  }
  if (standard || (scheme.kind == SignatureScheme::Kind::token && secret.starts_with(kSymmetric))) {
    if (const auto key = symmetric_key(secret); key && !key->empty()) return {};
    return Error{"expected `whsec_` and base64" + std::string(standard ? ", or `whpk_` and the base64 of an Ed25519 public key" : ""), {}};
  }
  if (secret.empty()) return Error{"expected a secret, found an empty string", {}};
  return {};
}

SignatureCheck::SignatureCheck(SignatureScheme scheme, const std::vector<std::string>& secrets) : scheme_(std::move(scheme)) {
  for (const auto& secret : secrets) {
    if (!check_secret(scheme_, secret)) continue;
    if (scheme_.kind == SignatureScheme::Kind::standard) {
      if (secret.starts_with(kPublic)) {
        public_keys_.push_back(*public_key(secret));
      } else {
        signing_keys_.push_back(*symmetric_key(secret));
      }
    } else if (scheme_.kind == SignatureScheme::Kind::token && secret.starts_with(kSymmetric)) {
      signing_keys_.push_back(*symmetric_key(secret));
    } else {
      keys_.push_back(secret);
    }
  }
}

std::optional<std::string> SignatureCheck::doubt(const HttpHeaders& headers, std::string_view body, WallTime now) const {
  if (keys_.empty() && signing_keys_.empty() && public_keys_.empty()) return "there is no secret";
  switch (scheme_.kind) {
    case SignatureScheme::Kind::body: return doubt_body(headers, body);
    case SignatureScheme::Kind::stripe: return doubt_stripe(headers, body, now);
    case SignatureScheme::Kind::slack: return doubt_slack(headers, body, now);
    case SignatureScheme::Kind::standard: return doubt_standard(headers, body, now);
    case SignatureScheme::Kind::token: break;
  }
  // A sender that signs sends its token as well, where it has one: with a key for the signature, that is what counts.
  if (!signing_keys_.empty() && (keys_.empty() || headers.count("webhook-signature") > 0)) return doubt_standard(headers, body, now);
  return doubt_token(headers);
}

std::optional<std::string> SignatureCheck::doubt_body(const HttpHeaders& headers, std::string_view body) const {
  std::string_view name;
  const auto header = only(headers, scheme_.headers, &name);
  if (!header) return header.error().message;
  const bool prefixed = header->starts_with(scheme_.prefix);
  const auto digits = prefixed ? header->substr(scheme_.prefix.size()) : *header;
  const auto given = scheme_.encoding == SignatureScheme::Encoding::hex ? from_hex(digits) : from_base64(digits);
  if (!prefixed || !given || given->size() != size_of(scheme_.hash)) {
    return std::string(name) + " is not " + (scheme_.prefix.empty() ? "" : "`" + scheme_.prefix + "` and ") + "the " +
           (scheme_.encoding == SignatureScheme::Encoding::hex ? "hexadecimal" : "base64") + " form of an " + name_of(scheme_.hash);
  }
  if (made_by_one(keys_, scheme_.hash, {body}, {*given})) return std::nullopt;
  return no_match();
}

std::optional<std::string> SignatureCheck::doubt_token(const HttpHeaders& headers) const {
  const auto header = only(headers, scheme_.headers);
  if (!header) return header.error().message;
  // Compared by what they make, so that not even the size of a token shows.
  bool matches = false;
  const auto given = hmac(Hash::sha256, "token", {*header});
  for (const auto& token : keys_) matches |= equal_in_constant_time(hmac(Hash::sha256, "token", {token}), given);
  return matches ? std::nullopt : std::optional(no_match());
}

std::optional<std::string> SignatureCheck::doubt_stripe(const HttpHeaders& headers, std::string_view body, WallTime now) const {
  const auto header = only(headers, {"Stripe-Signature"});
  if (!header) return header.error().message;
  const auto parts = split("Stripe-Signature", *header, ',', {"t=", "v1="});  // v0 is for tests only, and must not count
  if (!parts) return parts.error().message;
  std::optional<std::string_view> time;
  std::vector<std::string> given;
  for (const auto part : *parts) {
    if (part.starts_with("t=")) {
      if (time) return "Stripe-Signature holds two times";
      time = part.substr(2);
    } else if (auto bytes = from_hex(part.substr(3))) {
      given.push_back(std::move(*bytes));
    }
  }
  if (!time) return "Stripe-Signature holds no time (t=)";
  if (given.empty()) return "Stripe-Signature holds no v1= signature";
  if (!made_by_one(keys_, Hash::sha256, {*time, ".", body}, given)) return no_match();
  return doubt_time("t of Stripe-Signature", *time, now);
}

std::optional<std::string> SignatureCheck::doubt_slack(const HttpHeaders& headers, std::string_view body, WallTime now) const {
  const auto header = only(headers, {"X-Slack-Signature"});
  if (!header) return header.error().message;
  const auto time = only(headers, {"X-Slack-Request-Timestamp"});
  if (!time) return time.error().message;
  const auto given = header->starts_with("v0=") ? from_hex(header->substr(3)) : std::nullopt;
  if (!given) return "X-Slack-Signature is not `v0=` and hexadecimal digits";
  if (!made_by_one(keys_, Hash::sha256, {"v0:", *time, ":", body}, {*given})) return no_match();
  return doubt_time("X-Slack-Request-Timestamp", *time, now);
}

std::optional<std::string> SignatureCheck::doubt_standard(const HttpHeaders& headers, std::string_view body, WallTime now) const {
  const auto id = only(headers, {"webhook-id"});
  if (!id) return id.error().message;
  if (id->empty()) return "webhook-id is empty";
  const auto time = only(headers, {"webhook-timestamp"});
  if (!time) return time.error().message;
  const auto header = only(headers, {"webhook-signature"});
  if (!header) return header.error().message;
  const auto parts = split("webhook-signature", *header, ' ', {"v1,", "v1a,"});
  if (!parts) return parts.error().message;
  std::vector<std::string> given;
  std::vector<std::string> by_public_key;
  for (const auto part : *parts) {
    const bool symmetric = part.starts_with("v1,");
    if (auto bytes = from_base64(part.substr(part.find(',') + 1))) (symmetric ? given : by_public_key).push_back(std::move(*bytes));
  }
  if (given.empty() && by_public_key.empty()) return "webhook-signature holds neither a v1 nor a v1a signature";
  bool matches = made_by_one(signing_keys_, Hash::sha256, {*id, ".", *time, ".", body}, given);
  if (!public_keys_.empty() && !by_public_key.empty()) {
    const auto message = std::string(*id) + "." + std::string(*time) + "." + std::string(body);
    for (const auto& key : public_keys_) {
      for (const auto& signature : by_public_key) matches |= ed25519_signed(key, message, signature);
    }
  }
  if (!matches) return no_match();
  return doubt_time("webhook-timestamp", *time, now);
}

// Asked last: of what nobody signed, the time says nothing.
std::optional<std::string> SignatureCheck::doubt_time(std::string_view name, std::string_view seconds, WallTime now) const {
  std::int64_t since = 0;
  const auto [end, failure] = std::from_chars(seconds.data(), seconds.data() + seconds.size(), since);
  if (failure != std::errc() || end != seconds.data() + seconds.size() || since < 0 || since > kLastSecond) {
    return std::string(name) + " is '" + printable(seconds, limits::kShownValue) + "', wanted seconds since 1970";
  }
  const auto age = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()) - std::chrono::seconds(since);
  const Duration off = std::min(std::chrono::abs(age), std::chrono::seconds(kFar));
  if (off <= scheme_.tolerance) return std::nullopt;
  return std::string(name) + " is " + to_string(off) + (age.count() > 0 ? " old" : " ahead") + ", at most " + to_string(scheme_.tolerance) + " (tolerance)";
}

std::string SignatureCheck::no_match() const {
  const auto secrets = keys_.size() + signing_keys_.size() + public_keys_.size();
  return secrets == 1 ? "the secret did not match" : "none of " + std::to_string(secrets) + " secrets matched";
}

}  // namespace hark
