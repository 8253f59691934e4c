#include "handlers/steps/slack.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "core/limits.h"
#include "core/payload.h"
#include "core/printable.h"
#include "handlers/names.h"
#include "handlers/steps/json_document.h"
#include "platform/clock.h"
#include "platform/http_client.h"

namespace hark {
namespace {

std::string escaped_for_slack(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      default: out += c;
    }
  }
  return out;
}

// In all strings of a value, and the names of its fields.
nlohmann::json escaped_for_slack(const nlohmann::json& value) {
  if (value.is_string()) return escaped_for_slack(value.get_ref<const std::string&>());
  if (!value.is_structured()) return value;
  auto out = value.is_array() ? nlohmann::json::array() : nlohmann::json::object();
  for (const auto& [key, item] : value.items()) {
    if (value.is_array())
      out.push_back(escaped_for_slack(item));
    else
      out[escaped_for_slack(key)] = escaped_for_slack(item);
  }
  return out;
}

Result<nlohmann::json> render_message(const SlackStepOptions& options, Scope& scope) {
  std::map<std::string, nlohmann::json, std::less<>> escaped;
  const auto lookup = [&](std::string_view name) -> const nlohmann::json* {
    const auto* value = scope.value(name);
    if (value == nullptr || split_name(name).first == "env" || scope.is_placeholder(name, value)) return value;
    return &escaped.insert_or_assign(std::string(name), escaped_for_slack(*value)).first->second;
  };
  auto message = nlohmann::json::object();
  if (!options.token.empty()) message["channel"] = options.channel.render([&](std::string_view name) { return scope.value(name); });
  if (options.text) message["text"] = options.text->render(lookup);
  if (!options.blocks.is_null()) message["blocks"] = render_json(options.blocks, lookup);
  if (auto trouble = scope.take_trouble()) return *trouble;
  const auto is_blank = [&](const char* key) { return message.contains(key) && message[key].get<std::string>().find_first_not_of(" \t\r\n") == std::string::npos; };
  if (is_blank("channel")) return Error{"`channel` is empty with its values put in", ""};
  if (options.blocks.is_null() && is_blank("text")) return Error{"`text` is empty with its values put in", ""};
  return message;
}

std::string cure_of_slack(std::string_view error) {
  constexpr std::array kOfToken = {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "no_service", "no_team", "invalid_token"};
  constexpr std::array kOfChannel = {"channel_not_found", "not_in_channel", "is_archived", "channel_is_archived"};
  const auto is_of = [&](const auto& words) { return std::find(words.begin(), words.end(), error) != words.end(); };
  if (is_of(kOfToken)) return "see that `token` or `webhook_url` is right and not revoked";
  if (is_of(kOfChannel)) return "see that the channel is there and that the app was invited to it";
  if (error == "missing_scope") return "give the token the scope chat:write";
  if (error.starts_with("invalid_blocks") || error == "invalid_payload") return "see that the blocks are as Block Kit wants them";
  return "";
}

// What it refuses today and may not tomorrow.
bool is_slacks_trouble(std::string_view error) {
  constexpr std::array kWords = {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error"};
  return std::find(kWords.begin(), kWords.end(), error) != kWords.end();
}

// Of an answer that is no success: a webhook's is a word, the API's is JSON.
std::string said_by_slack(const std::string& body) {
  const auto answer = parse_json(body, "Slack's answer");
  const auto* error = answer && answer->is_object() && answer->contains("error") ? &(*answer)["error"] : nullptr;
  return printable(error != nullptr && error->is_string() ? error->get<std::string>() : body, limits::kShownValue);
}

bool is_taken(const SlackStepOptions& options, const HttpResponse& answer) {
  if (answer.status != 200 || options.token.empty()) return answer.status == 200;
  const auto document = parse_json(answer.body, "Slack's answer");
  return document && document->is_object() && document->value("ok", nlohmann::json()) == true;
}

}  // namespace

void render(const SlackStepOptions& options, Scope& scope, RenderedStep& shown) {
  shown.kind = "slack";
  const auto message = render_message(options, scope);
  if (!message) {
    shown.error = message.error().text();
    return;
  }
  shown.text = (options.token.empty() ? "POST to the webhook" : "POST " + options.url) + "\n\n" + write_json(*message);
}

StepResult attempt(const SlackStepOptions& options, const StepCall& call) {
  const auto message = render_message(options, call.scope);
  if (!message) return failed_for_good(message.error());
  HttpCall request;
  request.method = "POST";
  request.url = options.url;
  request.content_type = "application/json; charset=utf-8";
  if (!options.token.empty()) request.headers.add("Authorization", "Bearer " + options.token);
  request.body = write_json(*message);
  if (call.deadline) request.timeout = std::max<Duration>(std::chrono::milliseconds(1), *call.deadline - call.tools.clock.now().steady);
  StepResult result;
  auto answer = call.tools.http.call(request, call.stop);
  if (!answer) {
    result.state = state_of_failure(call);
    if (result.state == StepState::failed) result.error = answer.error().text();
    return result;
  }
  result.exit_code = answer->status;
  result.is_status = true;
  if (!is_taken(options, *answer)) {
    const auto error = said_by_slack(answer->body);
    result.state = StepState::failed;
    result.error = Error{"Slack answered " + std::to_string(answer->status) + (error.empty() ? "" : ": " + error), cure_of_slack(error)}.text();
    result.retry_after = retry_after(answer->headers, call.tools.clock.now().wall);
    if (answer->status == 200 && is_slacks_trouble(error)) result.exit_code.reset();
  }
  keep_output(std::move(answer->body), call, result);
  return result;
}

}  // namespace hark
