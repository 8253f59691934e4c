#include "handlers/steps/prompt.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/lifecycle_json.h"
#include "core/limits.h"
#include "tests/handlers/pipeline_fixture.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::FakeProcesses;
using hark::test::PipelineFixture;
using hark::test::header;
using nlohmann::json;

namespace {

std::string document(const std::string& text, int input = 10, int output = 5) {
  return json{{"choices", {{{"message", {{"content", text}}}, {"finish_reason", "stop"}}}}, {"usage", {{"prompt_tokens", input}, {"completion_tokens", output}}}}.dump();
}

const json kSummary = json::parse(R"({"type": "object", "required": ["summary"], "properties": {"summary": {"type": "string"}}})");

}  // namespace

TEST_CASE_FIXTURE(PipelineFixture, "prompt: values come in as plain text, and the answer is the step's output") {
  event(R"({"who": "ada {payload.x}", "list": ["a", "b"]})");
  auto& options = ask("agent", "For {payload.who}: {payload.list} $HOME ${X}");
  options.system = Template::parse("You serve {payload.who}.");
  options.provider.price = ProviderOptions::Price{3, 15};
  shell("next", "true");
  http.answer(200, document("Hello"));
  const Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.steps[0].output == "Hello");
  CHECK_FALSE(run.steps[0].exit_code.has_value());
  REQUIRE(run.steps[0].usage.has_value());
  CHECK(run.steps[0].usage->input_tokens == 10);
  CHECK(run.steps[0].usage->output_tokens == 5);
  CHECK(*run.steps[0].usage->cost == doctest::Approx((10 * 3 + 5 * 15) / 1e6));
  const json sent = json::parse(http.calls()[0].body);
  CHECK(sent["messages"][0]["content"] == "You serve ada {payload.x}.");
  CHECK(sent["messages"][1]["content"] == "For ada {payload.x}: a b $HOME ${X}");
  CHECK(sent["model"] == "small");
}

TEST_CASE_FIXTURE(PipelineFixture, "prompt: what a cache answered and what was written into one have prices of their own") {
  auto& options = ask("agent", "why?", ProviderOptions::Type::anthropic);
  options.provider.price = ProviderOptions::Price{3, 15, 0.3, 3.75};
  const auto answer = R"({"type": "message", "content": [{"text": "Hi"}], "stop_reason": "end_turn",
                          "usage": {"input_tokens": 10, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 1000, "output_tokens": 5}})";
  http.answer(200, answer);
  const Run dear = run();
  CHECK(dear.steps[0].usage->input_tokens == 1210);
  CHECK(*dear.steps[0].usage->cost == doctest::Approx((10 * 3 + 200 * 3.75 + 1000 * 0.3 + 5 * 15) / 1e6));
  std::get<PromptStepOptions>(handler.steps[0].kind).provider.price = ProviderOptions::Price{3, 15};
  http.answer(200, answer);
  CHECK(*run().steps[0].usage->cost == doctest::Approx((1210 * 3 + 5 * 15) / 1e6));
}

TEST_CASE_FIXTURE(PipelineFixture, "prompt: each question to a provider is told, with what came of it, how long it took and what was used") {
  std::vector<nlohmann::json> heard;
  context.tell = [&](const lifecycle::Any& any) {
    if (lifecycle::name(any).starts_with("agent:")) heard.push_back(to_json(any, WallTime{}));
  };
  ask("agent", "why?");
  handler.steps[0].retry = {2, {1ms, 1ms}};
  ask("code", "fix it", ProviderOptions::Type::command).provider.command.script = Template::parse("claude");
  http.answer(503);
  http.answer(200, document("Hello"));
  processes.answer(FakeProcesses::exited(3));
  CHECK(run().state == RunState::failed);
  REQUIRE(heard.size() == 6);
  CHECK(heard[0] == json::parse(R"({"name": "agent:started", "time": "1970-01-01T00:00:00.000Z", "run_id": "RUN1", "handler": "on-change", "correlation_id": "STORY1",
                                    "iteration": 1, "step": "agent", "provider": "local", "type": "openai"})"));
  CHECK(heard[1]["name"] == "agent:complete");
  CHECK(heard[1]["outcome"] == "failed");
  CHECK(heard[1]["why"].get<std::string>().find("503") != std::string::npos);
  CHECK_FALSE(heard[1].contains("usage"));
  CHECK(heard[3]["outcome"] == "succeeded");
  CHECK(heard[3]["usage"] == json{{"input_tokens", 10}, {"output_tokens", 5}});
  CHECK(heard[3]["duration_ms"].is_number());
  CHECK(heard[4]["type"] == "command");
  CHECK(heard[5]["outcome"] == "failed");
  CHECK(heard[5]["why"] == "provider 'local': exit status 3");
}

TEST_CASE_FIXTURE(PipelineFixture, "prompt: what passes is tried again, as long as the provider asks for, and all attempts are paid for") {
  ask("agent", "why?");
  handler.steps[0].retry = {4, {1ms, 1ms}};
  http.answer([](const auto&, const auto&) {
    HttpResponse limited;
    limited.status = 429;
    limited.headers.add("Retry-After", "0");
    limited.body = R"({"error": {"message": "slow down", "type": "rate_limit"}})";
    return Result<HttpResponse>(limited);
  });
  http.answer(200, "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":1}}\n\n");  // broken off
  http.answer([](const auto&, const auto&) { return Result<HttpResponse>(Error{"POST to 127.0.0.1:11434: cannot connect: Connection refused", ""}); });
  http.answer(200, document("Hello"));
  const Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.steps[0].attempts == 4);
  CHECK(run.steps[0].usage->input_tokens == 20);
  CHECK(run.steps[0].usage->output_tokens == 6);
  CHECK(run.steps[0].output == "Hello");
}

TEST_CASE_FIXTURE(PipelineFixture, "prompt: a refusal names the provider, what it said and what to do, never its key") {
  auto& options = ask("agent", "why?");
  handler.steps[0].retry = {4, {1ms, 1ms}};
  options.provider.api_key = "sk-secret";
  http.answer(401, R"({"error": {"message": "Incorrect API key provided: sk-secret", "code": "invalid_api_key"}})");
  const Run wrong_key = run();
  CHECK(wrong_key.error == "provider 'local' (http://127.0.0.1:11434/v1) answered with status 401: Incorrect API key provided: *** (invalid_api_key) (check its `api_key`)");
  CHECK(wrong_key.exit_code == 401);
  CHECK(wrong_key.steps[0].attempts == 1);

  options.provider.api_key.clear();
  options.provider.key_cure = "set LLM_KEY";
  http.answer(401, "");
  CHECK(run().error == "provider 'local' has no api_key: answered with status 401 (set LLM_KEY)");
  options.provider.needs_key = true;
  const auto before = http.calls().size();
  CHECK(run().error == "provider 'local' has no api_key (set LLM_KEY)");
  CHECK(http.calls().size() == before);
}

TEST_CASE_FIXTURE(PipelineFixture, "prompt: a provider that cannot be reached, or breaks off, is named with its address") {
  ask("agent", "why?");
  http.answer([](const auto&, const auto&) { return Result<HttpResponse>(Error{"POST to 127.0.0.1:11434: cannot connect: Connection refused", ""}); });
  CHECK(run().error == "provider 'local' (http://127.0.0.1:11434/v1) cannot be reached: POST to 127.0.0.1:11434: cannot connect: Connection refused");
  http.answer([](const HttpCall& sent, const auto&) {
    sent.receive(HttpResponse{}, "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n");
    return Result<HttpResponse>(Error{"POST to 127.0.0.1:11434: the connection ended", ""});
  });
  const Run broken = run();
  CHECK(broken.error == "provider 'local' (http://127.0.0.1:11434/v1) broke off its answer: POST to 127.0.0.1:11434: the connection ended");
  CHECK(broken.steps[0].output == "Hel");
}

TEST_CASE_FIXTURE(PipelineFixture, "prompt: an answer that is cut off fails at once, and what there was is kept") {
  ask("agent", "why?");
  handler.steps[0].retry = {4, {1ms, 1ms}};
  http.answer(200, R"({"choices": [{"message": {"content": "part"}, "finish_reason": "length"}]})");
  const Run run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.steps[0].attempts == 1);
  CHECK(run.steps[0].output == "part");
  CHECK(run.error.find("cut off (finish_reason length)") != std::string::npos);
}

TEST_CASE_FIXTURE(PipelineFixture, "prompt: its time is what is left, running out of it a timeout, being stopped a cancel") {
  ask("agent", "why?");
  handler.steps[0].timeout = 2s;
  http.answer([&](const HttpCall& sent, const auto&) {
    CHECK(sent.timeout == 2s);
    clock.advance(2s);
    return Result<HttpResponse>(Error{"timed out", ""});
  });
  const Run late = run();
  CHECK(late.state == RunState::timed_out);
  CHECK(late.error == "timed out after 2s");
  http.answer([&](const auto&, const auto&) {
    stop.request_stop();
    return Result<HttpResponse>(Error{"cancelled", ""});
  });
  CHECK(run().state == RunState::cancelled);
}

TEST_CASE_FIXTURE(PipelineFixture, "prompt: an answer that must have a shape is checked, without its fence, and asked for again") {
  auto& options = ask("agent", "why?");
  options.schema = kSummary;
  handler.steps[0].retry = {3, {1ms, 1ms}};
  http.answer(200, document("Sure! Here it is."));
  http.answer(200, document(R"({"summary": 1})"));
  http.answer(200, document("```json\n{\"summary\": \"ok\"}\n```\n"));
  const Run good = run();
  CHECK(good.state == RunState::succeeded);
  CHECK(good.steps[0].attempts == 3);
  CHECK(good.steps[0].output == R"({"summary": "ok"})");
  CHECK(json::parse(http.calls()[0].body)["response_format"]["json_schema"]["schema"] == kSummary);
  handler.steps[0].retry = {};
  http.answer(200, document(R"({"summary": 1})"));
  CHECK(run().error == "the answer does not fit json_schema: /summary: expected a string");
  http.answer(200, document("no"));
  CHECK(run().error.find("the answer does not fit json_schema: the answer") == 0);
}

TEST_CASE_FIXTURE(PipelineFixture, "prompt: a command reads it from its standard input, where and as run steps run") {
  handler.working_directory = folder.path().string();
  handler.environment = {{"CI", Template::parse("1")}};
  auto& options = ask("agent", "Fix {payload.what}", ProviderOptions::Type::command);
  event(R"({"what": "it; $(id);"})");
  options.provider.command.shell = false;
  options.provider.command.arguments = {Template::parse("claude"), Template::parse("-p")};
  options.system = Template::parse("Be careful.");
  processes.answer(FakeProcesses::exited(0, "done\n"));
  const Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.steps[0].output == "done\n");
  CHECK_FALSE(run.steps[0].usage.has_value());
  const auto call = processes.calls()[0];
  CHECK(call.command.argv == std::vector<std::string>{"claude", "-p"});
  CHECK(call.command.input == "Be careful.\n\nFix it; $(id);");
  CHECK(call.command.working_directory == handler.working_directory);
  CHECK(call.environment("CI") == "1");
  CHECK(call.environment("HARK_RUN_ID") == "RUN1");
}

TEST_CASE_FIXTURE(PipelineFixture, "prompt: a command that fails fails the step, and its answer is checked as any other") {
  auto& options = ask("agent", "why?", ProviderOptions::Type::command);
  options.provider.command.script = Template::parse("agent");
  handler.steps[0].retry = {2, {1ms, 1ms}};
  processes.answer(FakeProcesses::exited(3, "", "no credits\n"));
  processes.answer(FakeProcesses::exited(3, "", "no credits\n"));
  const Run failed = run();
  CHECK(failed.error == "provider 'local': exit status 3: no credits");
  CHECK(failed.steps[0].attempts == 2);
  options.schema = kSummary;
  processes.answer(FakeProcesses::exited(0, "{\"summary\": 7}"));
  processes.answer(FakeProcesses::exited(0, "{\"summary\": \"ok\"}"));
  const Run good = run();
  CHECK(good.state == RunState::succeeded);
  CHECK(good.steps[0].output == "{\"summary\": \"ok\"}");
  CHECK(processes.calls().back().command.input.find("It must fit this JSON Schema:\n{") != std::string::npos);
}

TEST_CASE_FIXTURE(PipelineFixture, "prompt: an empty one, and one beyond all bounds, are not asked") {
  ask("agent", "{payload.none}");
  CHECK(run().error.find("the prompt is empty") == 0);
  handler.steps.clear();
  event(json{{"x", std::string(limits::kPrompt, 'x')}}.dump());
  ask("agent", "{payload.x}{payload.x}");
  CHECK(run().error.find("the prompt is longer than") == 0);
  CHECK(http.calls().empty());
}

TEST_CASE_FIXTURE(PipelineFixture, "prompt: a dry run shows whom, what and in which shape, and no key") {
  auto& options = ask("agent", "Fix {payload.what}");
  event(R"({"what": "it"})");
  options.provider.api_key = "sk-secret";
  options.system = Template::parse("Be careful.");
  options.schema = kSummary;
  const auto shown = render_pipeline(handler, context);
  CHECK(shown[0].kind == "prompt");
  CHECK(shown[0].text.starts_with("provider 'local': small at http://127.0.0.1:11434/v1\n\nsystem: Be careful.\n\nFix it\n\nthe answer must fit {"));
  CHECK(shown[0].text.find("sk-secret") == std::string::npos);
  CHECK(http.calls().empty());
}
