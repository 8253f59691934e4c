// Who sent a webhook: what the senders of the world sign, and where they write it. Pure, over raw bytes, in constant time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "platform/digest.h"

namespace hark {

class HttpHeaders;

// How a sender shows that it knows the secret.
struct SignatureScheme {
  enum class Kind {
    body,      // an HMAC of the body in one header
    token,     // the secret itself in one header (GitLab's X-Gitlab-Token); secrets "whsec_…" are for `standard` signatures
    stripe,    // Stripe-Signature: t=…,v1=… of "t.body"
    slack,     // X-Slack-Signature: v0=… of "v0:t:body", t in X-Slack-Request-Timestamp
    standard,  // Standard Webhooks 1.0: webhook-signature: v1,… v1a,… of "id.t.body"
  };
  enum class Encoding { hex, base64 };

  Kind kind = Kind::body;
  std::vector<std::string> headers = {"X-Signature"};  // of body and token: the first of them that is there counts
  Hash hash = Hash::sha256;
  Encoding encoding = Encoding::hex;
  std::string prefix = "sha256=";
  Duration tolerance = std::chrono::minutes(5);  // what signs a time: so old, or so far ahead, it may be

  bool signs_time() const { return kind == Kind::stripe || kind == Kind::slack || kind == Kind::standard; }
  friend bool operator==(const SignatureScheme&, const SignatureScheme&) = default;
};

// What is expected of a secret of this scheme, where it is none: "expected whsec_ and the base64 of …".
Status check_secret(const SignatureScheme& scheme, std::string_view secret);

class SignatureCheck {
 public:
  // Secrets that check_secret() refuses, and empty ones, match nothing.
  SignatureCheck(SignatureScheme scheme, const std::vector<std::string>& secrets);

  // Why it is not known who sent this; nullopt: one of the secrets made it, in time. Every secret is tried, whatever came before, so
  // that the time tells nothing. The reason holds no secret, nor what one makes.
  std::optional<std::string> doubt(const HttpHeaders& headers, std::string_view body, WallTime now) const;

 private:
  std::optional<std::string> doubt_body(const HttpHeaders& headers, std::string_view body) const;
  std::optional<std::string> doubt_token(const HttpHeaders& headers) const;
  std::optional<std::string> doubt_stripe(const HttpHeaders& headers, std::string_view body, WallTime now) const;
  std::optional<std::string> doubt_slack(const HttpHeaders& headers, std::string_view body, WallTime now) const;
  std::optional<std::string> doubt_standard(const HttpHeaders& headers, std::string_view body, WallTime now) const;
  std::optional<std::string> doubt_time(std::string_view name, std::string_view seconds, WallTime now) const;
  std::string no_match() const;

  SignatureScheme scheme_;
  std::vector<std::string> keys_;         // of HMACs; of `token`, the tokens
  std::vector<std::string> public_keys_;  // Ed25519
  std::vector<std::string> signing_keys_;  // of `token`: those for standard signatures
};

}  // namespace hark
