// The wire protocols, without a wire: bytes in and out, cut anywhere.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "handlers/providers/answer.h"
#include "handlers/providers/anthropic.h"
#include "handlers/providers/openai.h"
#include "tests/support/fake_http_client.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::FakeHttpClient;
using hark::test::header;
using nlohmann::json;

namespace {

ProviderOptions provider(ProviderOptions::Type type = ProviderOptions::Type::openai) {
  ProviderOptions options;
  options.type = type;
  options.name = "local";
  options.base_url = type == ProviderOptions::Type::anthropic ? "https://api.anthropic.com" : "http://127.0.0.1:11434/v1";
  options.model = "small";
  return options;
}

struct Read {
  Status status;
  Reply reply;
};

Read read(const Protocol& protocol, const std::string& body, std::size_t piece) {
  AnswerReader reader(protocol);
  for (std::size_t at = 0; at < body.size(); at += piece) {
    if (!reader.feed(std::string_view(body).substr(at, piece))) break;
  }
  Status status = reader.finish();
  return {status, reader.reply()};
}

// The same wherever it is cut.
Read read(const Protocol& protocol, const std::string& body) {
  Read whole = read(protocol, body, body.size() + 1);
  for (const std::size_t piece : {1, 2, 3, 5, 64}) {
    CAPTURE(piece);
    const Read cut = read(protocol, body, piece);
    CHECK(cut.status.ok() == whole.status.ok());
    CHECK(cut.reply.text == whole.reply.text);
    CHECK(cut.reply.refusal == whole.reply.refusal);
  }
  return whole;
}

// As its maker's documentation has it.
const std::string kOpenAiStream =
    "data: {\"id\":\"chatcmpl-123\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n"
    "data: {\"id\":\"chatcmpl-123\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"},\"finish_reason\":null}]}\n\n"
    "data: {\"id\":\"chatcmpl-123\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo \xf0\x9f\x8e\x89\"},\"finish_reason\":null}]}\n\n"
    "data: {\"id\":\"chatcmpl-123\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const std::string kOpenAiUsage = "data: {\"id\":\"chatcmpl-123\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12,\"total_tokens\":21}}\n\n";

const std::string kAnthropicStart =
    "event: message_start\r\n"
    "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\r\n\r\n"
    "event: content_block_start\r\n"
    "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\r\n\r\n"
    "event: ping\r\ndata: {\"type\": \"ping\"}\r\n\r\n"
    "event: content_block_delta\r\n"
    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\r\n\r\n"
    "event: content_block_delta\r\n"
    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" \xc3\xa9!\"}}\r\n\r\n"
    "event: content_block_stop\r\ndata: {\"type\":\"content_block_stop\",\"index\":0}\r\n\r\n";
std::string anthropic_end(const std::string& reason) {
  return "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" + reason +
         "\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":15}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
}

std::string message_of(const Status& status) { return status ? "" : status.error().text(); }

}  // namespace

TEST_CASE("openai: the request says model, messages, bounds, shape and key, and asks for a stream with its usage") {
  auto options = provider();
  options.api_key = "sk-1";
  options.temperature = 0.25;
  options.max_tokens = 100;
  const json schema = {{"type", "object"}};
  const HttpCall call = kOpenAi.request(options, {"be brief", "why? \xff", &schema});
  CHECK(call.method == "POST");
  CHECK(call.url == "http://127.0.0.1:11434/v1/chat/completions");
  CHECK(header(call, "Authorization") == "Bearer sk-1");
  CHECK(json::parse(call.body) == json{{"model", "small"},
                                       {"stream", true},
                                       {"stream_options", {{"include_usage", true}}},
                                       {"messages", {{{"role", "system"}, {"content", "be brief"}}, {{"role", "user"}, {"content", "why? \xef\xbf\xbd"}}}},
                                       {"temperature", 0.25},
                                       {"max_tokens", 100},
                                       {"response_format", {{"type", "json_schema"}, {"json_schema", {{"name", "answer"}, {"schema", schema}}}}}});
  options.base_url = "https://api.openai.com/v1";
  options.api_key.clear();
  const HttpCall theirs = kOpenAi.request(options, {"", "why?", nullptr});
  CHECK(json::parse(theirs.body).contains("max_completion_tokens"));
  CHECK(json::parse(theirs.body)["messages"].size() == 1);
  CHECK(header(theirs, "Authorization").empty());
}

TEST_CASE("openai: the model is held to a schema where its form allows it, and asked to keep to it where not") {
  const auto strict = [](const char* text) {
    const json schema = json::parse(text);
    const json shape = json::parse(kOpenAi.request(provider(), {"", "why?", &schema}).body)["response_format"]["json_schema"];
    CHECK(shape["schema"] == schema);
    return shape.contains("strict");
  };
  CHECK(strict(R"({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false})"));
  CHECK(strict(R"({"type": "object", "properties": {"a": {"type": "array", "items": {"anyOf": [{"type": "null"}, {"enum": ["x"]}]}}}, "required": ["a"], "additionalProperties": false})"));
  CHECK_FALSE(strict(R"({"type": "object"})"));
  CHECK_FALSE(strict(R"({"type": "array", "items": {"type": "string"}})"));
  CHECK_FALSE(strict(R"({"type": "object", "properties": {"a": {"type": "string"}}, "required": [], "additionalProperties": false})"));
  CHECK_FALSE(strict(R"({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]})"));
  CHECK_FALSE(strict(R"({"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"], "additionalProperties": false})"));
  CHECK_FALSE(strict(R"({"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}, "required": ["a"], "additionalProperties": false})"));
  CHECK_FALSE(strict(R"({"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": false})"));
}

TEST_CASE("openai: a stream is put together, wherever it is cut, with what it took") {
  for (const std::string& end : {kOpenAiUsage + "data: [DONE]\n\n", kOpenAiUsage}) {  // some do not say [DONE]
    const Read whole = read(kOpenAi, kOpenAiStream + end);
    CHECK(message_of(whole.status) == "");
    CHECK(whole.reply.text == "Hello \xf0\x9f\x8e\x89");
    REQUIRE(whole.reply.usage.has_value());
    CHECK(whole.reply.usage->input_tokens == 9);
    CHECK(whole.reply.usage->output_tokens == 12);
  }
}

TEST_CASE("openai: a stream that breaks off is no answer") {
  CHECK(message_of(read(kOpenAi, kOpenAiStream.substr(0, kOpenAiStream.find("data: {\"id\":\"chatcmpl-123\",\"choices\":[{\"index\":0,\"delta\":{}"))).status) == "the answer broke off");
  CHECK(message_of(read(kOpenAi, "").status) == "the answer broke off before it began");
  CHECK(message_of(read(kOpenAi, ": comments\n\n").status) == "the answer broke off before it began");
  CHECK(message_of(read(kOpenAi, "data: {\"choices\"\n\n").status).find("an event of the answer") == 0);
  CHECK_FALSE(read(kOpenAi, "<html>a proxy's page</html>").status.ok());
}

TEST_CASE("openai: who does not stream answers with one document") {
  const Read whole = read(kOpenAi, "\n " R"({"choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 4}})");
  CHECK(message_of(whole.status) == "");
  CHECK(whole.reply.text == "Hi");
  CHECK(whole.reply.usage->output_tokens == 4);
  CHECK(message_of(read(kOpenAi, R"({"hello": 1})").status).find("no choices[0].message") != std::string::npos);
  CHECK(message_of(read(kOpenAi, R"({"choices": [)").status).find("the answer") == 0);
}

TEST_CASE("openai: an answer that is cut off, withheld or a call of a tool says so, with what there was") {
  const auto ended = [](const std::string& reason) {
    return read(kOpenAi, "data: {\"choices\":[{\"delta\":{\"content\":\"part\"}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" + reason + "\"}]}\n\n" + kOpenAiUsage + "data: [DONE]\n\n").reply;
  };
  const Reply cut = ended("length");
  CHECK(cut.refusal.find("cut off (finish_reason length)") != std::string::npos);
  CHECK(cut.for_good);
  CHECK(cut.text == "part");
  CHECK(cut.usage->output_tokens == 12);  // told behind it
  CHECK(ended("content_filter").refusal.find("withheld") != std::string::npos);
  CHECK(ended("tool_calls").refusal.find("asks for a tool") != std::string::npos);
  CHECK(ended("eos").refusal.empty());
  const Reply refused = read(kOpenAi, R"({"choices": [{"message": {"content": null, "refusal": "I won't"}, "finish_reason": "stop"}]})").reply;
  CHECK(refused.refusal == "the model refused; its answer says why");
  CHECK(refused.text == "I won't");
}

TEST_CASE("openai: an error within a stream, and what the bodies of refusals say") {
  const Reply failed = read(kOpenAi, kOpenAiStream.substr(0, kOpenAiStream.find("data: {\"id\":\"chatcmpl-123\",\"choices\":[{\"index\":0,\"delta\":{}")) + "data: {\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\",\"code\":503}}\n\n").reply;
  CHECK(failed.refusal == "out of memory (server_error)");
  CHECK(failed.status == 503);
  CHECK_FALSE(failed.for_good);
  CHECK(kOpenAi.read_refusal(json::parse(R"({"error": {"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"}})")) == "no such model (model_not_found)");
  CHECK(kOpenAi.read_refusal(json::parse(R"({"error": "model 'x' not found"})")) == "model 'x' not found");
  CHECK(kOpenAi.read_refusal(json::parse("[]")) == "");
}

TEST_CASE("anthropic: the request has its own headers, and asks for a shape in words") {
  auto options = provider(ProviderOptions::Type::anthropic);
  options.api_key = "sk-ant";
  const json schema = {{"type", "object"}};
  const HttpCall call = kAnthropic.request(options, {"be brief", "why?", &schema});
  CHECK(call.url == "https://api.anthropic.com/v1/messages");
  CHECK(header(call, "x-api-key") == "sk-ant");
  CHECK(header(call, "anthropic-version") == "2023-06-01");
  const json body = json::parse(call.body);
  CHECK(body["max_tokens"] == limits::kAnswerTokens);
  CHECK(body["stream"] == true);
  CHECK(body["messages"] == json{{{"role", "user"}, {"content", "why?"}}});
  CHECK(body["system"].get<std::string>().starts_with("be brief\n\nAnswer with one JSON document"));
  CHECK(body["system"].get<std::string>().ends_with("{\"type\":\"object\"}"));
  CHECK_FALSE(json::parse(kAnthropic.request(options, {"", "why?", nullptr}).body).contains("system"));
}

TEST_CASE("anthropic: a stream is put together, wherever it is cut, with what it took") {
  const Read whole = read(kAnthropic, kAnthropicStart + anthropic_end("end_turn"));
  CHECK(message_of(whole.status) == "");
  CHECK(whole.reply.text == "Hello \xc3\xa9!");
  CHECK(whole.reply.usage->input_tokens == 25);
  CHECK(whole.reply.usage->output_tokens == 15);
  CHECK(message_of(read(kAnthropic, kAnthropicStart).status) == "the answer broke off");
  CHECK(read(kAnthropic, kAnthropicStart + anthropic_end("max_tokens")).reply.refusal.find("cut off (stop_reason max_tokens)") != std::string::npos);
  CHECK(read(kAnthropic, kAnthropicStart + anthropic_end("refusal")).reply.refusal.find("withheld") != std::string::npos);
}

TEST_CASE("anthropic: an error within a stream has the status that it would have had as an answer") {
  const Reply failed = read(kAnthropic, kAnthropicStart + "event: error\ndata: {\"type\": \"error\", \"error\": {\"type\": \"overloaded_error\", \"message\": \"Overloaded\"}}\n\n").reply;
  CHECK(failed.refusal == "Overloaded (overloaded_error)");
  CHECK(failed.status == 529);
  CHECK(failed.text == "Hello \xc3\xa9!");
  const Read document = read(kAnthropic, R"({"type": "message", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi"}], "stop_reason": "end_turn", "usage": {"input_tokens": 1, "cache_read_input_tokens": 10, "output_tokens": 2}})");
  CHECK(document.reply.text == "Hi");
  CHECK(document.reply.usage->input_tokens == 11);
  CHECK(document.reply.usage->cache_read_tokens == 10);
  CHECK(kAnthropic.read_refusal(json::parse(R"({"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: Field required"}})")) == "max_tokens: Field required (invalid_request_error)");
}

TEST_CASE("answer: an event that is an array, a number or of other types than expected does no harm") {
  for (const char* odd : {"[]", "7", "null", R"({"choices": 7})", R"({"choices": [[]]})", R"({"choices": [{"delta": {"content": {}}}]})", R"({"usage": {"prompt_tokens": -1}})",
                          R"({"type": 7})", R"({"type": "message_delta", "delta": []})", R"({"type": "message_start", "message": {"usage": 3}})"}) {
    CAPTURE(odd);
    for (const Protocol* protocol : {&kOpenAi, &kAnthropic}) CHECK(read(*protocol, "data: " + std::string(odd) + "\n\n").reply.text.empty());
  }
}

TEST_CASE("answer: one without end is given up") {
  AnswerReader reader(kOpenAi);
  const std::string event = "data: {\"choices\":[{\"delta\":{\"content\":\"" + std::string(1000, 'x') + "\"}}]}\n\n";
  std::size_t fed = 0;
  while (reader.feed(event)) REQUIRE(++fed < 10'000);
  CHECK(message_of(reader.finish()).find("the answer is longer than 1048576 bytes") == 0);
  AnswerReader document(kOpenAi);
  while (document.feed("{\"" + std::string(100'000, 'x'))) REQUIRE(++fed < 10'000);
  CHECK_FALSE(document.finish().ok());
}
