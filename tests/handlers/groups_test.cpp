// Steps of values and of steps: set, foreach, recipes, several at once.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "core/limits.h"
#include "handlers/pipeline.h"
#include "platform/clock.h"
#include "tests/handlers/pipeline_fixture.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::FakeProcesses;
using hark::test::PipelineFixture;
using Strings = std::vector<std::string>;

namespace {

StepOptions step(const std::string& name, decltype(StepOptions::kind) kind) {
  StepOptions made;
  made.name = name;
  made.kind = std::move(kind);
  return made;
}

StepOptions script(const std::string& name, const std::string& text) {
  RunStepOptions run;
  run.script = Template::parse(text);
  return step(name, run);
}

struct Groups : PipelineFixture {
  void add(StepOptions made) { handler.steps.push_back(std::move(made)); }

  StepOptions recipe(const std::string& name, std::vector<StepOptions> steps, std::vector<std::pair<std::string, std::string>> parameters = {}) {
    GroupStepOptions group;
    group.steps = std::move(steps);
    for (const auto& [parameter, text] : parameters) group.parameters.emplace_back(parameter, Template::parse(text));
    return step(name, group);
  }
  StepOptions parallel(const std::string& name, std::vector<StepOptions> steps) {
    GroupStepOptions group;
    group.kind = GroupStepOptions::Kind::parallel;
    group.steps = std::move(steps);
    return step(name, group);
  }
  static Strings names(const std::vector<StepResult>& steps) {
    Strings names;
    for (const auto& row : steps) names.push_back(row.name);
    return names;
  }
  // The last value that the n-th command was given.
  std::string value(std::size_t call, const std::string& name = "HARK_V0") { return processes.calls().at(call).environment(name).value_or("none"); }

  // The same from every row on, as if hark had died there; what was done is not done again.
  void every_cut(const Run& whole, const std::function<void(PipelineFixture&)>& answer) {
    for (std::size_t done = 0; done <= whole.steps.size(); ++done) {
      PipelineFixture again;
      again.handler = handler;
      again.context.event = context.event;
      again.context.run.steps.assign(whole.steps.begin(), whole.steps.begin() + static_cast<std::ptrdiff_t>(done));
      if (answer) answer(again);
      const Run run = again.run();
      INFO("done: ", done, " error: ", run.error);
      CHECK(run.state == whole.state);
      auto found = names(run.steps), wanted = names(whole.steps);
      std::sort(found.begin(), found.end());
      std::sort(wanted.begin(), wanted.end());
      CHECK(found == wanted);
      const auto commands = std::count_if(whole.steps.begin(), whole.steps.begin() + static_cast<std::ptrdiff_t>(done), [](const StepResult& row) { return row.exit_code && row.attempts > 0 && row.error_bytes == 7; });
      CHECK(again.processes.calls().size() + std::size_t(commands) == processes.calls().size());
    }
  }
};

}  // namespace

TEST_CASE_FIXTURE(Groups, "set: values are known behind it, the last one that was set, and after a crash") {
  event(R"({"tag": "v1", "files": ["a", "b c"]})");
  add(step("first", SetStepOptions{{{"version", Template::parse("{payload.tag}")}, {"all", Template::parse("{files}")}}}));
  add(script("one", "echo {vars.version} {vars.all}"));
  add(step("second", SetStepOptions{{{"version", Template::parse("{vars.version}-next")}}}));
  add(script("two", "echo {vars.version} {vars.all.1}"));
  const Run whole = run();
  REQUIRE(whole.state == RunState::succeeded);
  CHECK(whole.steps[0].output == R"({"all":["a","b c"],"version":"v1"})");
  CHECK(value(0) == "v1");
  CHECK(value(0, "HARK_V1_1") == "b c");
  CHECK(value(1) == "v1-next");
  CHECK(value(1, "HARK_V1") == "b c");

  PipelineFixture again;
  again.handler = handler;
  again.context.event = context.event;
  again.context.run.steps.assign(whole.steps.begin(), whole.steps.begin() + 3);
  CHECK(again.run().state == RunState::succeeded);
  CHECK(again.processes.calls().at(0).environment("HARK_V0") == "v1-next");
  CHECK(again.processes.calls().at(0).environment("HARK_V1") == "b c");
}

TEST_CASE_FIXTURE(Groups, "foreach: a step is done for each element, until one fails, and its row gathers them") {
  event(R"x({"files": ["a.txt", "$(touch x)", "c"]})x");
  auto each = script("lint", "lint {item} {index}");
  each.foreach = Foreach{Template::parse("{files}"), {}};
  add(each);
  add(script("tell", "tell {steps.lint.output}"));
  for (const char* output : {"one\n", "two", "three\n"}) processes.answer(FakeProcesses::exited(0, output));
  Run run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(names(run.steps) == Strings{"lint.0", "lint.1", "lint.2", "lint", "tell"});
  CHECK(value(1) == "$(touch x)");
  CHECK(value(2, "HARK_V1") == "2");
  CHECK(run.steps[3].output == "one\ntwo\nthree\n");
  CHECK(value(3) == "one\ntwo\nthree");
  CHECK(processes.calls()[0].environment("HARK_IDEMPOTENCY_KEY") != processes.calls()[1].environment("HARK_IDEMPOTENCY_KEY"));
  CHECK(processes.calls()[0].command.output_stem != processes.calls()[1].command.output_stem);

  processes.answer(FakeProcesses::exited(0));
  processes.answer(FakeProcesses::exited(3, "", "bad file\n"));
  run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.error == "step 'lint' failed: element 1 failed: exit status 3");
  CHECK(names(run.steps) == Strings{"lint.0", "lint.1", "lint"});
  CHECK(run.failed_step == 2);

  handler.steps[0].continue_on_error = true;
  processes.answer(FakeProcesses::exited(3));
  run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.steps[0].state == StepState::tolerated);
  CHECK(run.steps.size() == 5);
}

TEST_CASE_FIXTURE(Groups, "foreach: over objects, with a filter, over nothing and over what is no list") {
  event(R"({"items": [{"name": "x", "ok": 1}, {"name": "y", "ok": 0}], "none": [], "text": "abc"})");
  auto each = script("do", "work {item.name}");
  each.foreach = Foreach{Template::parse("{payload.items}"), {}};
  only_if(each, "item.ok:1");
  add(each);
  Run run = this->run();
  CHECK(names(run.steps) == Strings{"do.0", "do.1", "do"});
  CHECK(run.steps[1].state == StepState::skipped);
  CHECK(value(0) == "x");
  CHECK(processes.calls().size() == 1);

  handler.steps[0].foreach = Foreach{Template::parse("{payload.none}"), {}};
  run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.steps.at(0).state == StepState::skipped);
  CHECK(run.steps.at(0).error == "foreach: the list is empty");

  for (const char* name : {"{payload.text}", "{payload.missing}"}) {
    handler.steps[0].foreach = Foreach{Template::parse(name), {}};
    run = this->run();
    CHECK(run.state == RunState::failed);
    CHECK(run.error.starts_with("foreach: " + std::string(name) + " is no list"));
  }
  event(nlohmann::json{{"items", std::vector<int>(limits::kForeach + 1)}}.dump());
  handler.steps[0].foreach = Foreach{Template::parse("{payload.items}"), {}};
  CHECK(this->run().error.find("has 1001 elements, more than 1000") != std::string::npos);
  CHECK(processes.calls().size() == 1);

  handler.steps[0] = script("do", "work {item}");
  handler.steps[0].foreach = Foreach{{}, {Template::parse("x"), Template::parse("{payload.items.0}")}};
  CHECK(this->run().state == RunState::succeeded);
  CHECK(value(2) == "0");
}

TEST_CASE_FIXTURE(Groups, "recipe: its steps know its parameters and each other, and nothing of the steps around it") {
  event(R"({"target": "src"})");
  add(script("look", "look"));
  add(recipe("more", {script("look", "inner {params.where} {params.how}"), script("tell", "tell {steps.look.output}")}, {{"where", "{payload.target}"}, {"how", "hard"}}));
  add(script("end", "end {steps.look.output} {steps.more.output}"));
  for (const char* output : {"outer", "inner", "told"}) processes.answer(FakeProcesses::exited(0, output));
  const Run whole = run();
  REQUIRE(whole.state == RunState::succeeded);
  CHECK(names(whole.steps) == Strings{"look", "more.look", "more.tell", "more", "end"});
  CHECK(value(1) == "src");
  CHECK(value(1, "HARK_V1") == "hard");
  CHECK(value(2) == "inner");
  CHECK(value(3) == "outer");
  CHECK(value(3, "HARK_V1") == "told");
}

TEST_CASE_FIXTURE(Groups, "recipe: a step that fails fails it, what runs always runs, and its time bounds them all") {
  auto clean = script("clean", "clean");
  clean.always = true;
  add(recipe("more", {script("one", "one"), script("two", "two"), clean}));
  add(script("never", "never"));
  handler.steps[0].timeout = 10s;
  processes.answer([&](const FakeProcesses::Call& call, const std::stop_token&) {
    CHECK(*call.deadline == clock.now().steady + 10s);
    return FakeProcesses::exited(4);
  });
  processes.answer([&](const FakeProcesses::Call& call, const std::stop_token&) {
    CHECK(*call.deadline == clock.now().steady + limits::kAlwaysTime);
    return FakeProcesses::exited(0);
  });
  Run run = this->run();
  CHECK(run.state == RunState::failed);
  CHECK(run.error == "step 'more' failed: step 'one' failed: exit status 4");
  CHECK(names(run.steps) == Strings{"more.one", "more.clean", "more"});

  processes.answer([&](const FakeProcesses::Call&, const std::stop_token&) {
    clock.advance(11s);
    return FakeProcesses::exited(0);
  });
  run = this->run();
  CHECK(run.state == RunState::timed_out);
  CHECK(run.error == "step 'more': before step 'two'");

  handler.steps[0].continue_on_error = true;
  processes.answer(FakeProcesses::exited(1));
  run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.steps[2].state == StepState::tolerated);
}

TEST_CASE_FIXTURE(Groups, "parallel: all at once, each to its end, and what they left is known behind them") {
  RealProcessSpawner spawner{100ms};
  SystemClock system_clock;
  handler.working_directory = folder.path();
  // Each waits for the other: one after the other they would never end.
  add(parallel("both", {script("one", "touch one; until test -e two; do sleep 0.01; done; echo first"), script("two", "touch two; until test -e one; do sleep 0.01; done; echo second")}));
  add(script("end", "echo {steps.one.output} {steps.two.output} {steps.both.state}"));
  Run run = run_with(spawner, system_clock);
  REQUIRE(run.state == RunState::succeeded);
  CHECK(run.steps.size() == 4);
  CHECK(run.steps[2].name == "both");
  CHECK(run.steps[3].output == "first second succeeded\n");
  CHECK(finished.size() == 4);

  handler.steps[0] = parallel("both", {script("one", "exit 3"), script("two", "touch came; exit 4"), script("three", "echo fine")});
  run = run_with(spawner, system_clock);
  CHECK(run.state == RunState::failed);
  CHECK(std::filesystem::exists(folder.path() / "came"));
  CHECK(run.error.find("step 'one' failed: exit status 3") != std::string::npos);
  CHECK(run.error.find("step 'two' failed: exit status 4") != std::string::npos);
  CHECK(run.steps.size() == 4);
}

TEST_CASE_FIXTURE(Groups, "parallel: one that has come in since is done, and what the whole had come to before counts no longer") {
  add(parallel("both", {script("left", "left"), script("right", "right")}));
  add(script("end", "end"));
  const Run whole = run();
  REQUIRE(whole.steps.size() == 4);
  PipelineFixture again;
  again.handler = handler;
  std::get<GroupStepOptions>(again.handler.steps[0].kind).steps.push_back(script("new", "new"));
  again.context.run.steps = whole.steps;
  again.processes.answer(FakeProcesses::exited(9));
  const Run run = again.run();
  CHECK(run.state == RunState::failed);
  CHECK(run.error == "step 'both' failed: step 'new' failed: exit status 9");
  CHECK(again.processes.calls().size() == 1);
}

TEST_CASE_FIXTURE(Groups, "groups: from wherever an attempt was cut off the rest is done, and nothing twice") {
  event(R"({"files": ["a", "b"]})");
  auto each = script("each", "each {item}");
  each.foreach = Foreach{Template::parse("{files}"), {}};
  auto inner_each = script("inner", "inner {item} {params.p}");
  inner_each.foreach = Foreach{Template::parse("{files}"), {}};
  auto all = recipe("all", {script("one", "one {params.p}"), inner_each, recipe("deep", {script("one", "deep")})}, {{"p", "{item}"}});
  all.foreach = Foreach{Template::parse("{files}"), {}};
  add(each);
  add(all);
  add(parallel("both", {script("left", "left"), script("right", "right")}));
  add(script("end", "end"));
  const auto answer = [](PipelineFixture& fixture) {
    for (int i = 0; i < 20; ++i) fixture.processes.answer(FakeProcesses::exited(0, "out\n", "command"));
  };
  answer(*this);
  const Run whole = run();
  REQUIRE(whole.state == RunState::succeeded);
  REQUIRE(processes.calls().size() == 13);
  every_cut(whole, answer);
}
