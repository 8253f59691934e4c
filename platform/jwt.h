// Bearer tokens: JSON Web Tokens (RFC 7519) signed in the compact form (RFC 7515), judged as RFC 8725 says. Pure but for libcrypto; any
// thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/result.h"
#include "core/time.h"
#include "platform/signing_key.h"

namespace hark {

// What a token has to fit.
struct TokenRules {
  std::vector<SigningKey> keys;
  std::string issuer;                  // empty: whoever has a key
  std::vector<std::string> audiences;  // one of them; none: a token that is for no one in particular
  Duration leeway{};                   // how far the clocks may be apart

  friend bool operator==(const TokenRules&, const TokenRules&) = default;
};

// What a token that fits says.
struct Token {
  std::string subject;
  std::vector<std::string> scopes;  // of `scope` (RFC 8693, 4.2), `scp` or `scopes`
  std::string agent_type;
  WallTime expires{};  // at most a hundred years away
};

// The Error says why, in words for whoever sent it; none of the token is in it.
Result<Token> verify_token(std::string_view text, const TokenRules& rules, WallTime now);

// What it says without a look at its signature, to be shown: {header, claims}.
Result<std::pair<nlohmann::json, nlohmann::json>> read_token(std::string_view text);

Result<std::string> make_token(const SigningKey& key, const nlohmann::json& claims);

}  // namespace hark
