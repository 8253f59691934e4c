#include "handlers/providers/provider.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/payload.h"
#include "core/printable.h"
#include "handlers/providers/answer.h"
#include "handlers/providers/anthropic.h"
#include "handlers/providers/openai.h"
#include "platform/http.h"

namespace hark {
namespace {

const Protocol& protocol_of(const ProviderOptions& provider) { return provider.type == ProviderOptions::Type::anthropic ? kAnthropic : kOpenAi; }

// An endpoint may say what it was sent; headers of one's own may be keys, too.
std::string without_secrets(std::string text, const ProviderOptions& provider) {
  const auto hide = [&text](const std::string& secret) {
    if (secret.empty()) return;
    for (auto at = text.find(secret); at != text.npos; at = text.find(secret, at + 3)) text.replace(at, secret.size(), "***");
  };
  hide(provider.api_key);
  for (const auto& [name, value] : provider.headers) hide(value);
  return text;
}

std::string refusal_of(const Protocol& protocol, const std::string& body) {
  const auto document = parse_json(body, "");
  return document ? protocol.read_refusal(*document) : std::string();
}

Error refused(const ProviderOptions& provider, int status, const std::string& what) {
  const std::string told = " answered with status " + std::to_string(status) + (what.empty() ? "" : ": " + what);
  if ((status == 401 || status == 403) && provider.api_key.empty()) return {named(provider) + " has no api_key:" + told, provider.key_cure};
  if (status == 401 || status == 403) return {placed(provider) + told, "check its `api_key`"};
  if (status == 404) return {placed(provider) + told, "check `model` and `base_url`"};
  if (status >= 300 && status < 400) return {placed(provider) + told, "`base_url` is to name the place it leads to"};
  return {placed(provider) + told, ""};
}

void add_headers(const ProviderOptions& provider, HttpCall& call) {
  for (const auto& [name, value] : provider.headers) call.headers.add(name, value);
}

void add_cost(const ProviderOptions& provider, Answer& answer) {
  constexpr double kPricedTokens = 1e6;
  if (!answer.usage || !provider.price) return;
  auto& usage = *answer.usage;
  const auto& price = *provider.price;
  const double input = double(usage.fresh_tokens()) * price.input + double(usage.cache_read_tokens) * price.cached_input.value_or(price.input) +
                       double(usage.cache_write_tokens) * price.cache_write.value_or(price.input);
  usage.cost = (input + double(usage.output_tokens) * price.output) / kPricedTokens;
}

}  // namespace

std::string named(const ProviderOptions& provider) { return "provider '" + provider.name + "'"; }
std::string placed(const ProviderOptions& provider) { return named(provider) + " (" + provider.base_url + ")"; }

std::string shape_request(const nlohmann::json& schema) {
  return "Answer with one JSON document and nothing else. It must fit this JSON Schema:\n" + write_json(schema);
}

Answer ask(const ProviderOptions& provider, const Prompt& prompt, HttpClient& http, Duration timeout, std::stop_token stop, WallTime now) {
  Answer answer;
  if (provider.needs_key && provider.api_key.empty()) {
    answer.error = Error{named(provider) + " has no api_key", provider.key_cure};
    answer.for_good = true;
    return answer;
  }
  const Protocol& protocol = protocol_of(provider);
  AnswerReader reader(protocol);
  std::string error_body;
  HttpCall call = protocol.request(provider, prompt);
  add_headers(provider, call);
  call.timeout = timeout;
  call.max_response = limits::kAnswerOnWire;
  call.receive = [&](const HttpResponse& head, std::string_view piece) {
    if (head.status >= 200 && head.status <= 299) return reader.feed(piece);
    error_body += piece.substr(0, limits::kRefusalBody - error_body.size());
    return error_body.size() < limits::kRefusalBody;
  };
  const auto response = http.call(call, std::move(stop));
  Reply& reply = reader.reply();
  const auto fail = [&](const Error& error) { answer.error = Error{without_secrets(error.message, provider), error.cure}; };
  if (response && (response->status < 200 || response->status > 299)) {
    answer.status = response->status;
    answer.retry_after = retry_after(response->headers, now);
    fail(refused(provider, response->status, printable(refusal_of(protocol, error_body), limits::kRefusalReason)));
  } else if (const auto finished = response ? reader.finish() : Status(); !finished) {
    fail({placed(provider) + ": " + finished.error().message, finished.error().cure});
  } else if (!reply.refusal.empty()) {  // also where the connection broke after it was said
    if (reply.status != 0) answer.status = reply.status;
    answer.for_good = reply.for_good;
    fail({placed(provider) + ": " + printable(reply.refusal, limits::kRefusalReason), ""});
  } else if (!response) {
    const bool begun = reply.usage || !reply.text.empty();
    fail({placed(provider) + (begun ? " broke off its answer: " : " cannot be reached: ") + response.error().message, response.error().cure});
  }
  answer.text = std::move(reply.text);
  answer.usage = reply.usage;
  answer.stopped = reply.stopped;
  add_cost(provider, answer);
  return answer;
}

}  // namespace hark
