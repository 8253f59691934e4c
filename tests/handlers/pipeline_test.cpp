#include "handlers/pipeline.h"

#include <doctest/doctest.h>

#include <thread>

#include "core/limits.h"
#include "tests/handlers/pipeline_fixture.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::PipelineFixture;
using hark::test::FakeProcesses;
using End = ProcessResult::End;

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: steps run in order, and each is reported as it ends") {
  shell("one", "first");
  argv("two", {"second", "x"});
  processes.answer(FakeProcesses::exited(0, "out\n", "err\n"));
  const Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.exit_code == 0);
  CHECK(run.error.empty());
  CHECK(run.started.has_value());
  CHECK(run.finished.has_value());
  const auto calls = processes.calls();
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].command.argv == std::vector<std::string>{"/bin/sh", "-c", "first"});
  CHECK(calls[1].command.argv == std::vector<std::string>{"second", "x"});
  REQUIRE(run.steps.size() == 2);
  REQUIRE(finished.size() == 2);
  CHECK(finished[0].name == "one");
  CHECK(finished[0].output == "out\n");
  CHECK(finished[0].error_output == "err\n");
  CHECK(finished[0].output_bytes == 4);
  CHECK(finished[1].name == "two");
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: a failed step ends the run, with its exit status and one line that says so") {
  shell("build", "make");
  shell("test", "ctest");
  shell("tell", "mail");
  processes.answer(FakeProcesses::exited(0));
  processes.answer(FakeProcesses::exited(2));
  const Run run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.exit_code == 2);
  CHECK(run.error == "step 'test' failed: exit status 2");
  CHECK(run.steps.size() == 2);
  CHECK(processes.calls().size() == 2);
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: the error of a failed run ends with the last line its command wrote to standard error") {
  shell("test", "pytest");
  processes.answer(FakeProcesses::exited(127, "", "warming up\nsh: 1: pytest: not found\n \r\n"));
  Run run = this->run();
  CHECK(run.error == "exit status 127: sh: 1: pytest: not found");
  CHECK(run.steps[0].error == "exit status 127");

  processes.answer(FakeProcesses::exited(1, "", "\n  only\x1b[31mthis\rthat"));
  CHECK(this->run().error == "exit status 1: that");
  processes.answer(FakeProcesses::exited(1, "", "  \x1b[31mred"));
  CHECK(this->run().error == "exit status 1: \\x1b[31mred");
  processes.answer(FakeProcesses::exited(1, "", " \n\n"));
  CHECK(this->run().error == "exit status 1");

  processes.answer(FakeProcesses::exited(1, "", std::string(5000, 'x')));
  CHECK(this->run().error == "exit status 1: " + std::string(limits::kStepError, 'x') + "…");

  auto more = FakeProcesses::exited(1, "", "the middle of it");
  more.error_output.bytes = 1'000'000;
  processes.answer(more);
  CHECK(this->run().error == "exit status 1");

  processes.answer(FakeProcesses::exited(0, "", "only a warning\n"));
  CHECK(this->run().error.empty());
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: a failure that is tolerated does not end the run, and the steps behind it can see it") {
  shell("lint", "lint").continue_on_error = true;
  only_if(shell("tell", "mail {steps.lint.exit_code}"), "steps.lint.state:tolerated");
  shell("test", "ctest").continue_on_error = true;
  processes.answer(FakeProcesses::exited(3, "", "too long a line\n"));
  processes.answer(FakeProcesses::exited(0));
  processes.answer(FakeProcesses::ended(End::timed_out, 143));
  Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.error.empty());
  REQUIRE(run.steps.size() == 3);
  CHECK(run.steps[0].state == StepState::tolerated);
  CHECK(run.steps[0].error == "exit status 3");
  CHECK(run.steps[1].state == StepState::succeeded);
  CHECK(run.steps[2].state == StepState::tolerated);
  CHECK(finished.size() == 3);

  processes.answer(FakeProcesses::ended(End::cancelled, 143));  // somebody wants the run to end
  run = this->run();
  CHECK(run.state == RunState::cancelled);
  CHECK(run.steps.size() == 1);

  handler.timeout = 1s;  // and its own time may be over
  processes.answer([&](const auto&, const auto&) {
    clock.advance(2s);
    return Result<ProcessResult>(FakeProcesses::ended(End::timed_out, 143));
  });
  run = this->run();
  CHECK(run.state == RunState::timed_out);
  CHECK(run.steps[0].state == StepState::timed_out);
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: a signal, and a program that is not there, are told apart") {
  shell("a", "x");
  processes.answer(FakeProcesses::ended(End::signalled, 139));
  CHECK(run().error == "ended by signal 11 (Segmentation fault)");
  processes.answer([](const auto&, const auto&) {
    return Result<ProcessResult>(Error{"cannot run 'pytset': not found in PATH (/bin)", "check the spelling"});
  });
  const Run run = this->run();
  CHECK(run.error == "cannot run 'pytset': not found in PATH (/bin) (check the spelling)");
  CHECK_FALSE(run.exit_code.has_value());
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: a step whose `if` does not hold is skipped with the reason, and the run goes on") {
  event(R"({"action": "closed"})");
  only_if(shell("one", "a"), "payload.action:opened");
  only_if(shell("two", "b"), "action:closed,type:webhook,run.attempt:2,handler:on-change");
  only_if(shell("three", "c"), "steps.two.exit_code:0,steps.one.state:skipped");
  only_if(shell("four", "d"), "steps.two.json.a:1|steps.nine.output:");
  const Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  REQUIRE(run.steps.size() == 4);
  CHECK(run.steps[0].state == StepState::skipped);
  CHECK(run.steps[0].attempts == 0);
  CHECK(run.steps[0].error.starts_with("if: payload.action is "));
  CHECK(run.steps[1].state == StepState::succeeded);
  CHECK(run.steps[2].state == StepState::succeeded);
  CHECK(run.steps[3].state == StepState::skipped);
  CHECK(finished.size() == 4);
  CHECK(processes.calls().size() == 2);
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: a step is tried again, and its last attempt counts") {
  auto& step = shell("flaky", "x");
  step.retry.attempts = 3;
  step.retry.backoff = {1ms, 2ms};
  processes.answer(FakeProcesses::exited(1, "first"));
  processes.answer(FakeProcesses::ended(End::signalled, 137));
  processes.answer(FakeProcesses::exited(0, "third"));
  const Run good = run();
  CHECK(good.state == RunState::succeeded);
  CHECK(good.steps[0].attempts == 3);
  CHECK(good.steps[0].output == "third");
  CHECK(finished.size() == 1);

  for (int i = 1; i <= 3; ++i) processes.answer(FakeProcesses::exited(i));
  const Run bad = run();
  CHECK(bad.state == RunState::failed);
  CHECK(bad.exit_code == 3);
  CHECK(bad.steps[0].attempts == 3);
  const auto calls = processes.calls();
  REQUIRE(calls.size() == 6);
  for (const auto& call : calls) CHECK(call.environment("HARK_IDEMPOTENCY_KEY") == "EVENT1/on-change/flaky");
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: what an earlier attempt has done is not done again, and its output is there") {
  shell("first", "a");
  shell("second", "echo {steps.first.output}");
  StepResult done;
  done.name = "first";
  done.output = "from before";
  context.run.steps = {done};
  processes.answer(FakeProcesses::exited(0));
  const Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  REQUIRE(run.steps.size() == 2);
  CHECK(run.steps[0].output == "from before");
  REQUIRE(processes.calls().size() == 1);
  CHECK(processes.calls()[0].environment("HARK_V0") == "from before");
  CHECK(processes.calls()[0].environment("HARK_ATTEMPT") == "2");
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: an attempt has the step's timeout, but never more than is left of the handler's") {
  handler.timeout = 10s;
  shell("short", "a").timeout = 4s;
  shell("long", "b").timeout = 60s;
  shell("none", "c");
  processes.answer([&](const auto&, const auto&) {
    clock.advance(3s);
    return Result<ProcessResult>(FakeProcesses::exited(0));
  });
  const auto start = clock.now().steady;
  CHECK(run().state == RunState::succeeded);
  const auto calls = processes.calls();
  CHECK(*calls[0].deadline == start + 4s);
  CHECK(*calls[1].deadline == start + 10s);
  CHECK(*calls[2].deadline == start + 10s);
  handler.timeout.reset();
  (void)run();
  CHECK_FALSE(processes.calls()[5].deadline.has_value());
}

TEST_CASE_FIXTURE(
    PipelineFixture, "pipeline: a step that runs out of its own time may be tried again, one that runs out of the handler's may not") {
  handler.timeout = 10min;
  auto& step = shell("slow", "x");
  step.timeout = 5min;
  step.retry.attempts = 5;
  step.retry.backoff = {1ms, 1ms};
  const auto time_out = [&](Duration after) {
    processes.answer([this, after](const auto&, const auto&) {
      clock.advance(after);
      return Result<ProcessResult>(FakeProcesses::ended(End::timed_out, 143));
    });
  };
  time_out(5min);
  CHECK(run().state == RunState::succeeded);

  step.retry.attempts = 1;
  time_out(5min);
  Run run = this->run();
  CHECK(run.state == RunState::timed_out);
  CHECK(run.error == "timed out after 5m");
  CHECK(run.exit_code == 143);

  step.retry.attempts = 5;
  time_out(4min);
  time_out(5min);
  time_out(1min);
  run = this->run();
  CHECK(run.state == RunState::timed_out);
  CHECK(run.steps[0].attempts == 3);
  CHECK(run.error == "the handler's timeout of 10m ran out");
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: nothing starts after the handler's time is over") {
  handler.timeout = 1s;
  shell("one", "a");
  shell("two", "b");
  processes.answer([&](const auto&, const auto&) {
    clock.advance(2s);
    return Result<ProcessResult>(FakeProcesses::exited(0));
  });
  const Run run = this->run();
  CHECK(run.state == RunState::timed_out);
  CHECK(run.error == "the handler's timeout of 1s ran out before step 'two'");
  CHECK(processes.calls().size() == 1);
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: no pause is waited for that the handler's timeout would cut") {
  handler.timeout = 10s;
  auto& step = shell("one", "a");
  step.retry.attempts = 2;
  step.retry.backoff = {1min, 1min};
  processes.answer(FakeProcesses::exited(1));
  const Run run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.error == "exit status 1; no time left for attempt 2");
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: a stop before, during and between steps cancels the run") {
  shell("one", "a");
  shell("two", "b");
  SUBCASE("during") {
    processes.answer(FakeProcesses::ended(End::cancelled, 143));
    const Run run = this->run();
    CHECK(run.state == RunState::cancelled);
    CHECK(run.error == "cancelled during step 'one'");
    CHECK(run.steps[0].state == StepState::cancelled);
  }
  SUBCASE("between") {
    processes.answer([&](const auto&, const auto&) {
      stop.request_stop();
      return Result<ProcessResult>(FakeProcesses::exited(0));
    });
    const Run run = this->run();
    CHECK(run.state == RunState::cancelled);
    CHECK(run.error == "cancelled before step 'two'");
    CHECK(processes.calls().size() == 1);
  }
  SUBCASE("before") {
    stop.request_stop();
    CHECK(run().state == RunState::cancelled);
    CHECK(processes.calls().empty());
  }
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: a stop ends the pause before the next attempt at once") {
  auto& step = shell("one", "a");
  step.retry.attempts = 2;
  step.retry.backoff = {1h, 1h};
  std::jthread stopper;
  processes.answer([&](const auto&, const auto&) {
    stopper = std::jthread([&] { stop.request_stop(); });
    return Result<ProcessResult>(FakeProcesses::exited(1));
  });
  const Run run = this->run();
  CHECK(run.state == RunState::cancelled);
  CHECK(run.error == "cancelled: waiting for attempt 2 after: exit status 1");
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: a command learns what it needs from its environment and standard input") {
  event(R"({"x": 1})");
  handler.environment = {{"GREETING", Template::parse("hello {payload.x} {steps.one.output}")},
                         {"HARK_RUN_ID", Template::parse("forged")}};
  handler.working_directory = "/somewhere";
  argv("one", {"tool"});
  argv("two", {"tool"});
  processes.answer(FakeProcesses::exited(0, "done\n\n"));
  (void)run();
  const auto calls = processes.calls();
  const auto& call = calls[1];
  CHECK(call.environment("GREETING") == "hello 1 done");
  CHECK(call.environment("HARK_EVENT_ID") == "EVENT1");
  CHECK(call.environment("HARK_EVENT_TYPE") == "webhook");
  CHECK(call.environment("HARK_SOURCE") == "deploy");
  CHECK(call.environment("HARK_HANDLER") == "on-change");
  CHECK(call.environment("HARK_RUN_ID") == "RUN1");
  CHECK(call.environment("HARK_ATTEMPT") == "2");
  CHECK(call.environment("HARK_CORRELATION_ID") == "STORY1");
  CHECK(call.environment("HARK_IDEMPOTENCY_KEY") == "EVENT1/on-change/two");
  CHECK(call.environment("TRACEPARENT") == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  CHECK(call.command.run_id == "RUN1");
  CHECK(call.command.working_directory == "/somewhere");
  CHECK(call.command.output_stem == folder / "runs/RUN1/attempt-2/two");
  const auto input = nlohmann::json::parse(call.command.input);
  CHECK(input["id"] == "EVENT1");
  CHECK(input["data"]["x"] == 1);
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: names never lead out of the run's folder") {
  context.run.id = "../../etc";
  shell("../x", "a");
  (void)run();
  CHECK(processes.calls()[0].command.output_stem == folder / "runs/_.._.._etc/attempt-2/_.._x");
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: asking for JSON of an output that is none fails the step instead of leaving a hole") {
  shell("one", "a").retry.attempts = 1;
  auto& two = shell("two", "b {steps.one.json.url}");
  two.retry.attempts = 3;
  processes.answer(FakeProcesses::exited(0, "not json"));
  const Run run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.error.find("step 'two' failed: the output of step 'one'") == 0);
  CHECK(run.steps[1].attempts == 1);  // another attempt would read the same
  CHECK(processes.calls().size() == 1);
}

TEST_CASE_FIXTURE(PipelineFixture, "pipeline: an error is one line, whatever a library put into it") {
  shell("one", "a");
  processes.answer([](const auto&, const auto&) {
    return Result<ProcessResult>(Error{"two\nlines \x1b[31m" + std::string(5000, 'x'), ""});
  });
  const Run run = this->run();
  CHECK(run.error.find('\n') == std::string::npos);
  CHECK(run.error.find('\x1b') == std::string::npos);
  CHECK(run.error.size() < 1100);
}

TEST_CASE_FIXTURE(PipelineFixture, "dry run: shows what would run, starts nothing and keeps secrets") {
  event(R"({"action": "opened", "files": ["a b", "c'd"]})");
  context.environment = [](const std::string&) { return std::string("s3cret"); };
  shell("test", "pytest {payload.action} --token {env.TOKEN}");
  argv("list", {"ls", "-l", "{files}", "{payload_file}"});
  auto& tell = call("tell", "{env.BASE}/hook?q={payload.action}&o={steps.test.output}");
  tell.json = nlohmann::json{{"text", "{steps.test.output}"}, {"files", "{files}"}};
  only_if(shell("never", "x"), "payload.action:closed");
  auto& depends = shell("depends", "x");
  only_if(depends, "steps.test.exit_code:0");
  depends.timeout = 5s;
  depends.retry.attempts = 3;
  const auto shown = render_pipeline(handler, context);
  REQUIRE(shown.size() == 5);
  CHECK(shown[0].kind == "run");
  CHECK(shown[0].text.starts_with("pytest "));
  REQUIRE(shown[0].values.size() == 2);
  CHECK(shown[0].values[0].second == "opened");
  CHECK(shown[0].values[1].second == "{env.TOKEN}");
  CHECK(shown[1].text == "ls -l 'a b' 'c'\\''d' '{payload_file}'");
  CHECK(shown[2].kind == "http");
  CHECK(shown[2].text ==
        "POST {env.BASE}/hook?q=opened&o={steps.test.output}\nContent-Type: application/json\n\n"
        R"({"files":["a b","c'd"],"text":"{steps.test.output}"})");
  CHECK(shown[3].skipped.starts_with("if: payload.action is "));
  CHECK(shown[3].condition.empty());
  CHECK(shown[4].skipped.empty());
  CHECK(shown[4].condition == "steps.test.exit_code:0");
  CHECK(shown[4].timeout == 5s);
  CHECK(shown[4].retry.attempts == 3);
  CHECK(processes.calls().empty());
  CHECK(http.calls().empty());
  CHECK_FALSE(std::filesystem::exists(folder / "runs"));
}
