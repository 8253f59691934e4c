// Iterations until gates pass, what they tell each other, and what comes after.
#include <doctest/doctest.h>

#include "core/limits.h"
#include "handlers/pipeline.h"
#include "tests/handlers/pipeline_fixture.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::FakeProcesses;
using hark::test::PipelineFixture;
using Strings = std::vector<std::string>;

namespace {

struct Iterating : PipelineFixture {
  Iterating() {
    shell("work", "work");
    gate("tests", "make check");
    gate("style", "make lint");
    deliver("commit", "commit");
    handler.iterations.most = 3;
  }
  void answers(const std::vector<int>& codes, const std::string& output = {}) {
    for (const int code : codes) processes.answer(FakeProcesses::exited(code, code == 0 ? "" : output));
  }
  Strings scripts() const {
    Strings scripts;
    for (const auto& call : processes.calls()) scripts.push_back(call.command.argv.back());
    return scripts;
  }
};

const auto kPass = Strings{"work", "make check", "make lint", "commit"};

}  // namespace

TEST_CASE_FIXTURE(Iterating, "iterations: gates that pass end them, and the delivery comes once") {
  const Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(scripts() == kPass);
  REQUIRE(run.steps.size() == 4);
  CHECK(run.steps[0].part == StepPart::step);
  CHECK(run.steps[1].part == StepPart::gate);
  CHECK(run.steps[3].part == StepPart::delivery);
  CHECK(told == Strings{"verification:started", "phase:started", "gate:checked tests passed", "phase:started", "gate:checked style passed", "verification:complete",
                        "iteration:complete", "strategy:decision deliver", "delivery:started", "phase:started", "delivery:complete"});
}

TEST_CASE_FIXTURE(Iterating, "iterations: a gate that does not pass is told to the next one, which delivers") {
  shell("second", "fix {feedback} {iteration}");
  answers({0, 0, 1}, "2 tests failed\n");
  const Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.error.empty());
  CHECK_FALSE(run.failed_step.has_value());
  const auto calls = processes.calls();
  REQUIRE(calls.size() == 9);
  CHECK(calls[1].environment("HARK_V0") == "");
  CHECK(calls[1].environment("HARK_V1") == "1");
  CHECK(calls[5].environment("HARK_V0") == "gate 'tests' did not pass: exit status 1\n2 tests failed\n");
  CHECK(calls[5].environment("HARK_V1") == "2");
  REQUIRE(run.steps.size() == 9);
  CHECK(run.steps[2].state == StepState::failed);
  CHECK(run.steps[3].iteration == 1);  // every gate is asked, whatever the first one says
  CHECK(run.steps[4].iteration == 2);
  CHECK(calls[0].environment("HARK_IDEMPOTENCY_KEY") == "EVENT1/on-change/work");
  CHECK(calls[4].environment("HARK_IDEMPOTENCY_KEY") == "EVENT1/on-change/work/2");
  CHECK(calls[0].command.output_stem != calls[4].command.output_stem);
}

TEST_CASE_FIXTURE(Iterating, "iterations: no more than there may be, and then the run has failed, undelivered") {
  answers({0, 1, 0, 0, 0, 7, 0, 3, 4});
  const Run run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.error == "gate 'tests' did not pass: exit status 3; gate 'style' did not pass: exit status 4 (in the last of 3 iterations)");
  CHECK(run.exit_code == 4);
  CHECK(run.failed_step == 8);
  CHECK(run.steps.size() == 9);
  CHECK(told.back() == "strategy:decision stop");
}

TEST_CASE_FIXTURE(Iterating, "iterations: a gate sees what the steps of its own iteration have left") {
  handler.gates.clear();
  gate("look", "grep {steps.work.output}");
  for (const char* said : {"first", "second"}) {
    processes.answer(FakeProcesses::exited(0, said));
    processes.answer(FakeProcesses::exited(*said == 'f' ? 1 : 0));
  }
  CHECK(run().state == RunState::succeeded);
  CHECK(processes.calls().at(1).environment("HARK_V0") == "first");
  CHECK(processes.calls().at(3).environment("HARK_V0") == "second");
}

TEST_CASE_FIXTURE(Iterating, "iterations: a fixed number takes place, and the last one decides") {
  handler.iterations.strategy = IterationOptions::Strategy::fixed;
  answers({0, 0, 0, 0, 1, 0, 0, 0, 0, 0});
  CHECK(run().state == RunState::succeeded);
  CHECK(processes.calls().size() == 10);
  answers({0, 0, 0, 0, 0, 0, 0, 0, 1});
  CHECK(run().state == RunState::failed);
}

TEST_CASE_FIXTURE(Iterating, "iterations: a step that fails ends them all, an advisory gate none") {
  answers({5});
  Run run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.error == "step 'work' failed: exit status 5");
  CHECK(run.steps.size() == 1);

  handler.gates[0].continue_on_error = true;
  answers({0, 1, 0, 0});
  run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.steps[1].state == StepState::tolerated);
}

TEST_CASE_FIXTURE(Iterating, "iterations: of a long output the end is told") {
  shell("second", "fix {feedback}");
  answers({0, 0, 1}, std::string(limits::kFeedbackOfGate, 'a') + "the end\n");
  CHECK(run().state == RunState::succeeded);
  const auto feedback = *processes.calls().at(5).environment("HARK_V0");
  CHECK(feedback.size() < limits::kFeedbackOfGate + 100);
  CHECK(feedback.ends_with("athe end\n"));
  CHECK(feedback.find("[...]a") != feedback.npos);
}

TEST_CASE_FIXTURE(Iterating, "iterations: an attempt that was cut off goes on within its iteration, with what the gates had said") {
  shell("second", "fix {feedback}");
  answers({0, 0, 1}, "wrong");
  const Run whole = this->run();
  REQUIRE(whole.steps.size() == 9);
  for (std::size_t done = 0; done < 9; ++done) {
    PipelineFixture again;
    again.handler = handler;
    again.context.run.steps.assign(whole.steps.begin(), whole.steps.begin() + static_cast<std::ptrdiff_t>(done));
    if (done < 3) {
      for (std::size_t i = done; i < 2; ++i) again.processes.answer(FakeProcesses::exited(0));
      again.processes.answer(FakeProcesses::exited(1, "wrong"));
    }
    const Run run = again.run();
    INFO("done: ", done);
    CHECK(run.state == RunState::succeeded);
    REQUIRE(run.steps.size() == 9);
    REQUIRE(again.processes.calls().size() == 9 - done);
    for (std::size_t i = done; i < 9; ++i) CHECK(again.processes.calls()[i - done].command.argv == processes.calls()[i].command.argv);
    if (done <= 5) CHECK(again.processes.calls()[5 - done].environment("HARK_V0") == processes.calls()[5].environment("HARK_V0"));
  }
}

TEST_CASE_FIXTURE(Iterating, "iterations: the handler's time and its budget hold for all of them") {
  handler.timeout = 1h;
  handler.budget.time = 10s;
  processes.answer([&](const FakeProcesses::Call& call, const std::stop_token&) {
    CHECK(*call.deadline == clock.now().steady + 10s);
    clock.advance(11s);
    return FakeProcesses::exited(0);
  });
  const Run run = this->run();
  CHECK(run.state == RunState::timed_out);
  CHECK(run.error == "the budget of 10s is spent before step 'tests'");
}

TEST_CASE_FIXTURE(Iterating, "iterations: a cancel in a gate ends the run") {
  processes.answer(FakeProcesses::exited(0));
  processes.answer(FakeProcesses::ended(ProcessResult::End::cancelled, 143));
  const Run run = this->run();
  CHECK(run.state == RunState::cancelled);
  CHECK(run.error == "cancelled during gate 'tests'");
  CHECK(run.steps.size() == 2);
}

TEST_CASE_FIXTURE(PipelineFixture, "always: runs after a failure, of the same list, and the run has failed all the same") {
  shell("one", "one");
  shell("two", "two");
  shell("clean", "clean").always = true;
  shell("three", "three");
  shell("tell", "tell {steps.one.state}").always = true;
  deliver("deliver", "deliver").always = true;
  processes.answer(FakeProcesses::exited(9));
  processes.answer(FakeProcesses::exited(8));  // cleaning up fails as well: the first cause counts
  const Run run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.error == "step 'one' failed: exit status 9");
  CHECK(run.failed_step == 0);
  REQUIRE(run.steps.size() == 3);
  CHECK(run.steps[1].name == "clean");
  CHECK(run.steps[2].name == "tell");
  CHECK(processes.calls().at(2).environment("HARK_V0") == "failed");
}

TEST_CASE_FIXTURE(PipelineFixture, "always: has a time of its own when the handler has none left, and is not cut by a cancel") {
  shell("one", "one");
  auto& clean = shell("clean", "clean");
  clean.always = true;
  handler.timeout = 10s;
  processes.answer([&](const FakeProcesses::Call&, const std::stop_token&) {
    clock.advance(11s);
    return FakeProcesses::ended(ProcessResult::End::timed_out, 143);
  });
  processes.answer([&](const FakeProcesses::Call& call, const std::stop_token& token) {
    CHECK(*call.deadline == clock.now().steady + limits::kAlwaysTime);
    CHECK_FALSE(token.stop_requested());
    return FakeProcesses::exited(0);
  });
  CHECK(run().state == RunState::timed_out);
  CHECK(processes.calls().size() == 2);

  handler.timeout.reset();
  clean.timeout = 3s;
  processes.answer([&](const FakeProcesses::Call&, const std::stop_token&) {
    stop.request_stop();
    return FakeProcesses::ended(ProcessResult::End::cancelled, 143);
  });
  processes.answer([&](const FakeProcesses::Call& call, const std::stop_token& token) {
    CHECK(*call.deadline == clock.now().steady + 3s);
    CHECK_FALSE(token.stop_requested());
    return FakeProcesses::exited(0);
  });
  CHECK(run().state == RunState::cancelled);
  CHECK(processes.calls().size() == 4);
}

TEST_CASE_FIXTURE(PipelineFixture, "always: what hark cuts off to end goes on later, so that nothing is cleaned up") {
  shell("one", "one");
  shell("clean", "clean").always = true;
  std::stop_source leave;
  context.leave = leave.get_token();
  processes.answer([&](const FakeProcesses::Call&, const std::stop_token&) {
    leave.request_stop();
    stop.request_stop();
    return FakeProcesses::ended(ProcessResult::End::cancelled, 143);
  });
  CHECK(run().state == RunState::cancelled);
  CHECK(processes.calls().size() == 1);
}
