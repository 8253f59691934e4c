// hark token: makes the bearer tokens of the API, and says what one is good for.
#include <algorithm>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/standard_input.h"
#include "core/event_name.h"
#include "core/limits.h"
#include "core/printable.h"
#include "daemon/api_access.h"
#include "platform/clock.h"
#include "platform/file_system.h"
#include "platform/jwt.h"

namespace hark {

using nlohmann::json;

namespace {

std::int64_t seconds_of(WallTime time) { return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count(); }

// Of the file, or the first of the configuration that can.
Result<SigningKey> key_that_signs(const TokenCommand& command, const ApiSettings& api) {
  if (command.key_file.empty()) {
    const auto& keys = api.rules.keys;
    const auto found = std::find_if(keys.begin(), keys.end(), [](const SigningKey& key) { return key.can_sign(); });
    if (found != keys.end()) return *found;
    return Error{keys.empty() ? "[api] has no key" : "the keys of [api] only check tokens",
                 keys.empty() ? "give one: [api] key = \"${HARK_API_KEY}\" with the output of `openssl rand -hex 32`" : "give the private key with --key-file"};
  }
  RealFileSystem files;
  auto text = files.read(command.key_file, limits::kSecretFile);
  if (!text) return text.error();
  if (!*text) return Error{command.key_file + ": no such file", ""};
  if (SigningKey::is_pem(**text)) return SigningKey::from_pem(**text);
  while (!(*text)->empty() && ((*text)->back() == '\n' || (*text)->back() == '\r')) (*text)->pop_back();
  return SigningKey::from_secret(std::move(**text));
}

int complain_of(const Error& error, int status) {
  output::complain(error);
  return status;
}

std::string text_of(const json& value) { return hark::printable(value.is_string() ? value.get<std::string>() : write_json(value), limits::kShownValue); }

}  // namespace

int token_create_command(const TokenCommand& command) {
  if (const auto fits = check_event_word(command.subject, "--subject"); !fits || command.subject.size() > limits::kTokenSubject) {
    return complain_of(fits ? Error{"--subject is longer than " + std::to_string(limits::kTokenSubject) + " bytes", ""} : fits.error(), exit_code::kUsage);
  }
  std::string scopes;
  for (const auto& scope : command.scopes) {
    if (const auto known = check_scope(scope); !known) return complain_of(known.error(), exit_code::kUsage);
    scopes += (scopes.empty() ? "" : " ") + scope;
  }
  if (scopes.empty() && command.agent_type.empty()) return complain_of({"a token without a scope allows nothing", "give --scope, or --agent-type"}, exit_code::kUsage);
  const auto loaded = load_or_complain(command.common);
  if (!loaded) return exit_code::kConfig;
  const auto& api = loaded->settings.api;
  if (!command.agent_type.empty() && !api.subscriptions.contains(command.agent_type)) {
    return complain_of({"[subscriptions] has no agents of type '" + printable(command.agent_type, limits::kShownValue) + "'", ""}, exit_code::kUsage);
  }
  const auto key = key_that_signs(command, api);
  if (!key) return complain_of(key.error(), exit_code::kConfig);

  const auto now = SystemClock().now().wall;
  const auto expires = now + std::chrono::duration_cast<std::chrono::microseconds>(command.expires);
  json claims = {{"sub", command.subject}, {"iat", seconds_of(now)}, {"exp", seconds_of(expires)}};
  if (!scopes.empty()) claims["scope"] = scopes;
  if (!command.agent_type.empty()) claims["agent_type"] = command.agent_type;
  if (!api.rules.issuer.empty()) claims["iss"] = api.rules.issuer;
  const auto audience = !command.audience.empty() ? command.audience : api.rules.audiences.empty() ? std::string() : api.rules.audiences.front();
  if (!audience.empty()) claims["aud"] = audience;
  const auto token = make_token(*key, claims);
  if (!token) return complain_of(token.error(), exit_code::kConfig);
  if (const auto taken = verify_token(*token, api.rules, now); !taken) output::complain("the daemon of this configuration will not take it: " + taken.error().message);
  if (command.common.json) {
    output::print_json({{"token", *token}, {"claims", claims}});
  } else {
    output::print_line(*token);
  }
  return exit_code::kOk;
}

int token_show_command(const TokenCommand& command) {
  auto text = command.token;
  if (text == "-") {
    auto input = read_standard_input();
    if (!input) return complain_of(input.error(), exit_code::kFailed);
    text = std::move(*input);
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  }
  const auto said = read_token(text);
  if (!said) return complain_of({"this is no token: " + said.error().message, ""}, exit_code::kFailed);
  const auto loaded = load_or_complain(command.common);
  if (!loaded) return exit_code::kConfig;
  const auto& rules = loaded->settings.api.rules;
  const auto taken = rules.keys.empty() ? Result<Token>(Error{"[api] has no key to check it with", ""}) : verify_token(text, rules, SystemClock().now().wall);
  if (command.common.json) {
    json shown = {{"header", said->first}, {"claims", said->second}, {"taken", taken.ok()}};
    if (!taken) shown["reason"] = taken.error().message;
    output::print_json(shown);
    return taken ? exit_code::kOk : exit_code::kFailed;
  }
  for (const auto& [name, value] : said->second.items()) {
    const bool time = (name == "exp" || name == "iat" || name == "nbf") && value.is_number_integer() && value >= 0 && value < 253402300799;
    output::print_line(printable(name, limits::kShownValue) + ": " + (time ? to_rfc3339(WallTime(std::chrono::seconds(value.get<std::int64_t>()))) : text_of(value)));
  }
  output::print_line(taken ? "The daemon of this configuration takes it." : "The daemon of this configuration refuses it: " + taken.error().message + ".");
  return taken ? exit_code::kOk : exit_code::kFailed;
}

}  // namespace hark
