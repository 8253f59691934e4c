// A token is taken only when it is the one that was signed: what is made of a good one by changing it is refused, and so is anything else. And a
// key set that is read gives keys that check.
#include "platform/jwt.h"

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "fuzz/fuzz.h"

using namespace hark;

namespace {

const WallTime kNow{std::chrono::seconds(1'800'000'000)};

}  // namespace

void fuzz(std::string_view input) {
  static const auto key = SigningKey::from_secret(std::string(32, 'k')).value();
  static const auto good = make_token(key, {{"sub", "fuzz"}, {"exp", 1'800'000'060}, {"scope", "control"}}).value();
  static const TokenRules rules{{key}, "", {}, {}};
  const auto read = verify_token(input, rules, kNow);
  HOLDS(read.ok() == (input == good));
  if (!read) HOLDS(!read.error().message.empty());
  (void)read_token(input);
  // The same bytes as a payload, truly signed: what is judged then is what they say.
  if (const auto claims = nlohmann::json::parse(input, nullptr, false); claims.is_object() && input.size() < limits::kToken / 2) {
    const auto token = make_token(key, claims);
    HOLDS(token.ok());
    if (const auto judged = verify_token(*token, rules, kNow); judged) {
      HOLDS(!judged->subject.empty() && judged->subject.size() <= limits::kTokenSubject);
      HOLDS(judged->expires > kNow && judged->scopes.size() <= limits::kTokenScopes);
    }
  }
  if (const auto keys = SigningKey::from_jwks(input); keys) {
    HOLDS(!keys->empty());
    for (const auto& each : *keys) HOLDS(!each.can_sign() && !each.has_signed("message", "signature"));
  }
}
