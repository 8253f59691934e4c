// What a run leaves behind holds no secret, and what it does uses them as they are.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "tests/handlers/pipeline_fixture.h"

using namespace hark;
using namespace hark::test;

TEST_CASE_FIXTURE(PipelineFixture, "secrets: an answer is kept masked, in its file too, and later steps see it so; what is sent is not") {
  secrets.add({"s3cret-token"});
  call("ask", "https://x.example/login").headers.emplace_back("Authorization", Template::parse("Bearer s3cret-token"));
  call("tell", "https://x.example/").body = Template::parse("{steps.ask.json.token}");
  http.answer(200, R"({"token": "s3cret-token", "more": ")" + std::string(limits::kOutputInMemory, 'x') + "s3cret-token\"}");
  const Run done = run();
  REQUIRE(done.state == RunState::succeeded);
  CHECK(http.calls()[0].headers.entries().front().second == "Bearer s3cret-token");
  CHECK(http.calls()[1].body == "***");
  CHECK(done.steps[0].output.starts_with(R"({"token": "***")"));
  std::ifstream file(done.steps[0].output_file);
  const std::string whole(std::istreambuf_iterator<char>(file), {});
  CHECK(whole.size() == done.steps[0].output_bytes);
  CHECK(whole.ends_with("***\"}"));
}

TEST_CASE_FIXTURE(PipelineFixture, "secrets: the errors of steps and runs, and what is told of them, are masked") {
  secrets.add({"s3cret-token"});
  std::string told_errors;
  context.tell = [&](const lifecycle::Any& any) {
    if (const auto* gate = std::get_if<lifecycle::GateChecked>(&any)) told_errors += gate->why;
    if (const auto* decision = std::get_if<lifecycle::StrategyDecision>(&any)) told_errors += decision->reason;
  };
  handler.iterations.most = 2;
  gate("check", "false");
  const auto refuse = [](const FakeProcesses::Call&, const std::stop_token&) { return Result<ProcessResult>(Error{"cannot start s3cret-token", ""}); };
  for (int i = 0; i < 2; ++i) processes.answer(refuse);
  const Run done = run();
  CHECK(done.state == RunState::failed);
  CHECK(done.error.find("cannot start ***") != std::string::npos);
  CHECK(done.error.find("s3cret") == std::string::npos);
  CHECK(done.steps[0].error == "cannot start ***");
  CHECK(told_errors.find("cannot start ***") != std::string::npos);
  CHECK(told_errors.find("s3cret") == std::string::npos);
}

TEST_CASE_FIXTURE(PipelineFixture, "secrets: what is published holds none, and what a wait is compared with may not") {
  secrets.add({"s3cret-token"});
  context.environment = [](const std::string&) { return std::optional<std::string>("s3cret-token"); };
  StepOptions publish;
  publish.name = "publish";
  publish.kind = PublishStepOptions{"t", Template::parse("on-{env.T}"), Template::parse("about-{env.T}"), {{"a", "{env.T}"}}, {}};
  StepOptions wait;
  wait.name = "wait";
  wait.kind = WaitStepOptions{{"t"}, {}, Template::parse("payload.k:{env.T}")};
  handler.steps = {publish, wait};
  const Run done = run();
  REQUIRE(done.steps.size() == 2);
  const auto& event = done.steps[0].published;
  REQUIRE(event);
  CHECK(event->topic == "on-***");
  CHECK(event->subject == "about-***");
  CHECK(event->data.text() == R"({"a":"***"})");
  CHECK(done.state == RunState::failed);
  CHECK(done.steps[1].error.find("`where` holds a secret") == 0);
  CHECK(done.error.find("s3cret") == std::string::npos);
}

TEST_CASE_FIXTURE(PipelineFixture, "secrets: a command is started with the mask of its output, and with its arguments as they are") {
  secrets.add({"s3cret-token"});
  argv("print", {"echo", "s3cret-token"});
  (void)run();
  REQUIRE(processes.calls().size() == 1);
  CHECK(processes.calls()[0].command.argv[1] == "s3cret-token");
  CHECK(processes.calls()[0].command.mask.text("a s3cret-token") == "a ***");
}
