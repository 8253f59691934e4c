#include "handlers/providers/openai.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <nlohmann/json.hpp>

#include "core/payload.h"
#include "handlers/providers/json_look.h"

namespace hark {
namespace {

using Json = nlohmann::json;

// Its maker has renamed `max_tokens` and refuses the old name with newer models; others know only that.
std::string_view limit_name(const ProviderOptions& provider) {
  return provider.base_url.starts_with("https://api.openai.com/") ? "max_completion_tokens" : "max_tokens";
}

bool names_all(const Json& required, const Json& properties) {
  return required.is_array() && required.size() == properties.size() &&
         std::all_of(required.begin(), required.end(), [&](const Json& name) { return name.is_string() && properties.contains(name.get_ref<const std::string&>()); });
}

// Whether the model can be held to a schema while it writes ("Structured model outputs", Supported schemas): objects that have all of their
// properties and no others, of a part of the language. A schema beyond that is refused with `strict`, and taken for a wish without.
bool can_be_strict(const Json& schema) {
  constexpr std::array<std::string_view, 16> kKnown = {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "description", "title",
                                                       "minItems", "maxItems", "minimum", "maximum", "pattern", "$schema"};
  if (!schema.is_object()) return false;
  for (const auto& [key, value] : schema.items()) {
    if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) return false;
  }
  const auto all_strict = [](const Json& schemas) { return std::all_of(schemas.begin(), schemas.end(), can_be_strict); };
  if (schema.contains("anyOf") && !all_strict(schema["anyOf"])) return false;
  if (schema.contains("items") && !can_be_strict(schema["items"])) return false;
  const auto type = schema.find("type");
  const bool object = schema.contains("properties") || (type != schema.end() && (*type == "object" || (type->is_array() && std::find(type->begin(), type->end(), "object") != type->end())));
  if (!object) return type != schema.end() || schema.contains("anyOf") || schema.contains("enum") || schema.contains("const");
  if (!schema.contains("properties") || !schema["properties"].is_object() || schema.value("additionalProperties", Json(true)) != false) return false;
  return names_all(schema.value("required", Json()), schema["properties"]) && all_strict(schema["properties"]);
}

Json shape_of(const Json& schema) {
  Json shape = {{"name", "answer"}, {"schema", schema}};
  const bool is_object = schema.is_object() && schema.contains("type") && schema["type"] == "object";  // what an answer has to be then
  if (is_object && can_be_strict(schema)) shape["strict"] = true;
  return shape;
}

HttpCall openai_request(const ProviderOptions& provider, const Prompt& prompt) {
  Json body = {{"model", provider.model}, {"stream", true}, {"stream_options", {{"include_usage", true}}}, {"messages", Json::array()}};
  if (!prompt.system.empty()) body["messages"].push_back({{"role", "system"}, {"content", prompt.system}});
  body["messages"].push_back({{"role", "user"}, {"content", prompt.text}});
  if (provider.temperature) body["temperature"] = *provider.temperature;
  if (provider.max_tokens) body[std::string(limit_name(provider))] = *provider.max_tokens;
  if (prompt.schema != nullptr) body["response_format"] = {{"type", "json_schema"}, {"json_schema", shape_of(*prompt.schema)}};
  HttpCall call;
  call.method = "POST";
  call.url = provider.base_url + "/chat/completions";
  if (!provider.api_key.empty()) call.headers.add("Authorization", "Bearer " + provider.api_key);
  call.content_type = "application/json";
  call.body = write_json(body);
  return call;
}

std::string openai_refusal(const Json& body) {
  auto message = text_at(body, "error.message");
  if (message.empty()) message = text_at(body, "error");  // Ollama, llama.cpp
  if (message.empty()) message = text_at(body, "message");
  const auto code = text_at(body, "error.code");
  const auto type = code.empty() ? text_at(body, "error.type") : code;
  return message.empty() || type.empty() ? message + type : message + " (" + type + ")";
}

void take_usage(const Json& body, Reply& reply) {
  const auto input = count_at(body, "usage.prompt_tokens"), output = count_at(body, "usage.completion_tokens");
  if (input || output) reply.usage = Usage{input.value_or(0), output.value_or(0), {}, count_at(body, "usage.prompt_tokens_details.cached_tokens").value_or(0)};
}

void take_finish(const Json& body, Reply& reply) {
  const auto reason = text_at(body, "choices.0.finish_reason");
  if (reason.empty()) return;
  reply.stopped = true;
  if (reason == "length") {
    reply.refuse("the answer was cut off (finish_reason length): set a higher `max_tokens`, or ask for less");
  } else if (reason == "content_filter") {
    reply.refuse("the answer was withheld (finish_reason content_filter)");
  } else if (reason == "tool_calls" || reason == "function_call") {
    reply.refuse("the model asks for a tool (finish_reason " + reason + "), which a prompt step does not have");
  }
}

// `message` of a document, `delta` of an event.
void take_text(const Json& body, const std::string& where, Reply& reply) {
  reply.text += text_at(body, "choices.0." + where + ".content");
  // In place of the content: the model would rather not.
  const auto refused = text_at(body, "choices.0." + where + ".refusal");
  if (refused.empty()) return;
  reply.text += refused;
  reply.refuse("the model refused; its answer says why");
}

bool take_error(const Json& body, Reply& reply) {
  const Json* error = json_at(body, "error");
  if (error == nullptr || error->is_null()) return false;
  reply.refusal = openai_refusal(body);
  if (reply.refusal.empty()) reply.refusal = "an error that it says nothing about";
  reply.status = int(std::min<std::uint64_t>(count_at(body, "error.code").value_or(0), 999));
  reply.ended = true;
  return true;
}

Status openai_event(const StreamEvent& event, Reply& reply) {
  if (event.data == "[DONE]") {
    reply.ended = true;
    return {};
  }
  const auto chunk = parse_json(event.data, "an event of the answer");
  if (!chunk) return chunk.error();
  if (take_error(*chunk, reply)) return {};
  take_text(*chunk, "delta", reply);
  take_finish(*chunk, reply);
  take_usage(*chunk, reply);
  return {};
}

Status openai_document(const Json& document, Reply& reply) {
  if (take_error(document, reply)) return {};
  if (json_at(document, "choices.0.message") == nullptr) {
    return Error{"the answer has no choices[0].message", "check that `base_url` leads to an OpenAI-compatible endpoint, with its /v1"};
  }
  take_text(document, "message", reply);
  take_usage(document, reply);
  take_finish(document, reply);
  reply.stopped = reply.ended = true;
  return {};
}

}  // namespace

const Protocol kOpenAi = {openai_request, openai_event, openai_document, openai_refusal};

}  // namespace hark
