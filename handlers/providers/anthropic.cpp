#include "handlers/providers/anthropic.h"

#include <array>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/payload.h"
#include "handlers/providers/json_look.h"

namespace hark {
namespace {

using Json = nlohmann::json;

HttpCall anthropic_request(const ProviderOptions& provider, const Prompt& prompt) {
  Json body = {{"model", provider.model},
               {"max_tokens", provider.max_tokens.value_or(limits::kAnswerTokens)},
               {"stream", true},
               {"messages", Json::array({{{"role", "user"}, {"content", prompt.text}}})}};
  std::string system = prompt.system;
  if (prompt.schema != nullptr) system += (system.empty() ? "" : "\n\n") + shape_request(*prompt.schema);
  if (!system.empty()) body["system"] = std::move(system);
  if (provider.temperature) body["temperature"] = *provider.temperature;
  HttpCall call;
  call.method = "POST";
  call.url = provider.base_url + "/v1/messages";
  call.headers.add("anthropic-version", "2023-06-01");
  if (!provider.api_key.empty()) call.headers.add("x-api-key", provider.api_key);
  call.content_type = "application/json";
  call.body = write_json(body);
  return call;
}

// The status that an error within a stream would have had.
int status_of(std::string_view type) {
  constexpr std::array<std::pair<std::string_view, int>, 10> kTypes = {{{"invalid_request_error", 400},
                                                                        {"authentication_error", 401},
                                                                        {"billing_error", 402},
                                                                        {"permission_error", 403},
                                                                        {"not_found_error", 404},
                                                                        {"request_too_large", 413},
                                                                        {"rate_limit_error", 429},
                                                                        {"api_error", 500},
                                                                        {"timeout_error", 504},
                                                                        {"overloaded_error", 529}}};
  for (const auto& [name, status] : kTypes) {
    if (name == type) return status;
  }
  return 0;
}

std::string anthropic_refusal(const Json& body) {
  const auto message = text_at(body, "error.message"), type = text_at(body, "error.type");
  return message.empty() || type.empty() ? message + type : message + " (" + type + ")";
}

// Each event says how many there are by then; those of a cache are tokens of the prompt, too.
void add_usage(const Json* usage, Reply& reply) {
  if (usage == nullptr) return;
  if (!reply.usage) reply.usage = Usage{};
  const auto written = count_at(*usage, "cache_creation_input_tokens").value_or(0), read = count_at(*usage, "cache_read_input_tokens").value_or(0);
  if (const auto input = count_at(*usage, "input_tokens").value_or(0) + written + read; input > 0) {
    reply.usage->input_tokens = input;
    reply.usage->cache_write_tokens = written;
    reply.usage->cache_read_tokens = read;
  }
  if (const auto output = count_at(*usage, "output_tokens")) reply.usage->output_tokens = *output;
}

void take_stop(const std::string& reason, Reply& reply) {
  if (reason == "max_tokens" || reason == "model_context_window_exceeded") {
    reply.refuse("the answer was cut off (stop_reason " + reason + "): set a higher `max_tokens`, or ask for less");
  } else if (reason == "refusal") {
    reply.refuse("the answer was withheld (stop_reason refusal)");
  } else if (reason == "tool_use" || reason == "pause_turn") {
    reply.refuse("the model asks for a tool (stop_reason " + reason + "), which a prompt step does not have");
  }
}

void take_failure(const Json& body, Reply& reply) {
  reply.refusal = anthropic_refusal(body);
  if (reply.refusal.empty()) reply.refusal = "an error that it says nothing about";
  reply.status = status_of(text_at(body, "error.type"));
  reply.ended = true;
}

Status anthropic_event(const StreamEvent& event, Reply& reply) {
  const auto body = parse_json(event.data, "an event of the answer");
  if (!body) return body.error();
  const auto type = text_at(*body, "type");
  if (type == "message_start") {
    add_usage(json_at(*body, "message.usage"), reply);
  } else if (type == "content_block_start") {
    reply.text += text_at(*body, "content_block.text");
  } else if (type == "content_block_delta") {
    reply.text += text_at(*body, "delta.text");
  } else if (type == "message_delta") {
    add_usage(json_at(*body, "usage"), reply);
    reply.stopped = true;
    take_stop(text_at(*body, "delta.stop_reason"), reply);
  } else if (type == "message_stop") {
    reply.ended = true;
  } else if (type == "error") {
    take_failure(*body, reply);
  }
  return {};  // `ping`, and what is yet to be invented
}

Status anthropic_document(const Json& document, Reply& reply) {
  if (text_at(document, "type") == "error") {
    take_failure(document, reply);
    return {};
  }
  const Json* content = json_at(document, "content");
  if (content == nullptr || !content->is_array()) {
    return Error{"the answer has no `content`", "check that `base_url` leads to Anthropic's API, without /v1"};
  }
  for (const Json& block : *content) reply.text += text_at(block, "text");
  add_usage(json_at(document, "usage"), reply);
  take_stop(text_at(document, "stop_reason"), reply);
  reply.stopped = reply.ended = true;
  return {};
}

}  // namespace

const Protocol kAnthropic = {anthropic_request, anthropic_event, anthropic_document, anthropic_refusal};

}  // namespace hark
