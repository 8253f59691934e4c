#include "platform/jwt.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/event_name.h"
#include "core/json_keys.h"
#include "core/limits.h"
#include "core/payload.h"

namespace hark {

using nlohmann::json;

namespace {

constexpr std::chrono::years kFarthest{100};

struct Parts {
  json header, claims;
  std::string signature;
  std::string_view message;  // what is signed
};

// One of the token's two objects. Of a key that is there twice two readers believe different things.
Result<json> object_of(std::string_view encoded, const char* what) {
  const auto text = from_base64url(encoded);
  if (!text) return Error{std::string("its ") + what + " is no base64url", ""};
  const auto parsed = parse_event_data(*text);
  if (!parsed || !parsed->json().is_object()) return Error{std::string("its ") + what + " is no JSON object", ""};
  return parsed->json();
}

Result<Parts> take_apart(std::string_view text) {
  if (text.size() > limits::kToken) return Error{"it is longer than " + std::to_string(limits::kToken) + " bytes", ""};
  const auto first = text.find('.'), second = first == text.npos ? first : text.find('.', first + 1);
  if (second == text.npos || text.find('.', second + 1) != text.npos) return Error{"a token is three parts with dots between them", ""};
  auto header = object_of(text.substr(0, first), "header");
  if (!header) return header.error();
  auto claims = object_of(text.substr(first + 1, second - first - 1), "payload");
  if (!claims) return claims.error();
  auto signature = from_base64url(text.substr(second + 1));
  if (!signature) return Error{"its signature is no base64url", ""};
  return Parts{std::move(*header), std::move(*claims), std::move(*signature), text.substr(0, second)};
}

// Which keys may have signed it. The header only narrows down what each key says of itself.
Status check_signature(const Parts& parts, const std::vector<SigningKey>& keys) {
  const auto algorithm = parts.header.value("alg", json()), id = parts.header.value("kid", json());
  if (!algorithm.is_string()) return Error{"its header says no `alg`", ""};
  if (parts.header.contains("crit")) return Error{"its header asks for extensions (`crit`) that hark has not", ""};
  const bool named = id.is_string() && std::any_of(keys.begin(), keys.end(), [&](const SigningKey& key) { return key.id() == id.get_ref<const std::string&>(); });
  bool of_its_kind = false;
  for (const auto& key : keys) {
    if (key.name() != algorithm.get_ref<const std::string&>() || (named && key.id() != id.get_ref<const std::string&>())) continue;
    of_its_kind = true;
    if (key.has_signed(parts.message, parts.signature)) return {};
  }
  return Error{of_its_kind ? "none of the keys has signed it" : "there is no key for its `alg`", ""};
}

// NumericDate, RFC 7519, 2; nullopt: none is there.
Result<std::optional<WallTime>> time_claim(const json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end()) return std::optional<WallTime>();
  constexpr double kMost = 253402300799;  // the year 9999
  const auto seconds = found->is_number() ? found->get<double>() : std::nan("");
  if (!(seconds >= 0 && seconds <= kMost)) return Error{std::string("its `") + name + "` is no time in seconds since 1970", ""};
  return std::optional(WallTime(std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6))));
}

// A text, or a list of texts.
std::vector<std::string> texts_of(const json& claims, const char* name) {
  std::vector<std::string> texts;
  const auto found = claims.find(name);
  if (found == claims.end()) return texts;
  if (found->is_string()) texts.push_back(found->get<std::string>());
  if (found->is_array()) {
    for (const auto& each : *found) {
      if (each.is_string()) texts.push_back(each.get<std::string>());
    }
  }
  return texts;
}

Result<std::vector<std::string>> scopes_of(const json& claims) {
  std::vector<std::string> scopes;
  for (const auto* name : {"scope", "scp", "scopes"}) {
    for (const auto& text : texts_of(claims, name)) {
      for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(' ', at), text.size());
        if (end > at) scopes.push_back(text.substr(at, end - at));
        at = end + 1;
      }
    }
  }
  if (scopes.size() > limits::kTokenScopes) return Error{"it has more than " + std::to_string(limits::kTokenScopes) + " scopes", ""};
  return scopes;
}

Status check_audience(const json& claims, const std::vector<std::string>& wanted) {
  const auto named = texts_of(claims, "aud");
  if (wanted.empty()) return claims.contains("aud") ? Status(Error{"it is for an audience, and this daemon has no name as one ([api] audience)", ""}) : Status();
  const bool meant = std::any_of(named.begin(), named.end(), [&](const std::string& each) { return std::find(wanted.begin(), wanted.end(), each) != wanted.end(); });
  return meant ? Status() : Status(Error{"it is for another audience", ""});
}

}  // namespace

Result<Token> verify_token(std::string_view text, const TokenRules& rules, WallTime now) {
  auto parts = take_apart(text);
  if (!parts) return parts.error();
  if (auto good = check_signature(*parts, rules.keys); !good) return good.error();
  const auto& claims = parts->claims;
  Token token;
  const auto expires = time_claim(claims, "exp"), begins = time_claim(claims, "nbf"), made = time_claim(claims, "iat");
  for (const auto* each : {&expires, &begins, &made}) {
    if (!*each) return each->error();
  }
  if (!*expires) return Error{"it has no `exp`: a token that never ends is not taken", ""};
  // In the unit of the times: nanoseconds do not reach to the year 2300. And no end is further away than a timer can be set.
  const auto leeway = std::chrono::duration_cast<WallTime::duration>(rules.leeway);
  token.expires = std::min(**expires, now + kFarthest);
  if (now - leeway >= token.expires) return Error{"it has expired", ""};
  if (*begins && now + leeway < **begins) return Error{"it is not valid yet", ""};
  if (!rules.issuer.empty() && claims.value("iss", json()) != rules.issuer) return Error{"it is of another issuer", ""};
  if (auto meant = check_audience(claims, rules.audiences); !meant) return meant.error();
  const auto subject = claims.value("sub", json());
  if (!subject.is_string() || subject.get_ref<const std::string&>().size() > limits::kTokenSubject || !check_event_word(subject.get_ref<const std::string&>(), "")) {
    return Error{"its `sub` is to say who it is of: a text of at most " + std::to_string(limits::kTokenSubject) + " bytes without commas and control characters", ""};
  }
  token.subject = subject.get<std::string>();
  auto scopes = scopes_of(claims);
  if (!scopes) return scopes.error();
  token.scopes = std::move(*scopes);
  if (const auto type = claims.value("agent_type", json()); type.is_string()) token.agent_type = type.get<std::string>();
  return token;
}

Result<std::pair<json, json>> read_token(std::string_view text) {
  auto parts = take_apart(text);
  if (!parts) return parts.error();
  return std::pair(std::move(parts->header), std::move(parts->claims));
}

Result<std::string> make_token(const SigningKey& key, const json& claims) {
  json header = {{"alg", key.name()}, {"typ", "JWT"}};
  if (!key.id().empty()) header["kid"] = key.id();
  auto text = to_base64url(write_json(header)) + "." + to_base64url(write_json(claims));
  auto signature = key.sign(text);
  if (!signature) return signature.error();
  return text + "." + to_base64url(*signature);
}

}  // namespace hark
