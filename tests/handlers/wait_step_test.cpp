// Steps of events: publish and wait.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "core/event_pattern.h"
#include "core/ids.h"
#include "handlers/pipeline.h"
#include "platform/clock.h"
#include "tests/handlers/pipeline_fixture.h"

using namespace hark;
using namespace std::chrono_literals;
using hark::test::PipelineFixture;
using Strings = std::vector<std::string>;

namespace {

struct Events : PipelineFixture {
  static StepOptions step(const std::string& name, decltype(StepOptions::kind) kind) {
    StepOptions made;
    made.name = name;
    made.kind = std::move(kind);
    return made;
  }
  static StepOptions wait(const std::string& name, const std::string& type, const std::string& where = {}) {
    return step(name, WaitStepOptions{{type}, {}, Template::parse(where)});
  }
  static StepOptions script(const std::string& name, const std::string& text) {
    RunStepOptions run;
    run.script = Template::parse(text);
    return step(name, run);
  }
  void add(StepOptions made) { handler.steps.push_back(std::move(made)); }

  // The run goes on with this end of its wait, as the engine has it begin again.
  Run go_on(const Run& waiting, StepState state = StepState::succeeded) {
    REQUIRE(waiting.state == RunState::waiting);
    REQUIRE(waiting.wait);
    REQUIRE(waiting.wait->index == waiting.steps.size());
    auto again = waiting;
    StepResult row;
    row.name = waiting.wait->step;
    row.part = waiting.wait->part;
    row.iteration = waiting.wait->iteration;
    row.state = state;
    row.output = R"({"id": "E2", "data": {"ok": true}})";
    row.output_bytes = row.output.size();
    again.steps.push_back(row);
    context.run = again;
    finished.clear();
    told.clear();
    return run();
  }
  static Strings rows(const Run& run) {
    Strings rows;
    for (const auto& row : run.steps) rows.push_back(row.name + " " + std::string(to_string(row.state)));
    return rows;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Events, "wait: the run is handed back as waiting, and goes on behind it with the event as its output") {
  add(script("before", "x"));
  add(wait("review", "done", "correlation_id:{run.correlation_id}"));
  handler.steps.back().timeout = 1h;
  add(script("after", "say {steps.review.json.data.ok}"));
  auto run = this->run();
  CHECK(rows(run) == Strings{"before succeeded"});
  CHECK_FALSE(run.finished);
  CHECK(run.wait->types == Strings{"done"});
  CHECK(run.wait->where == "correlation_id:\"STORY1\"");
  CHECK(run.wait->until == clock.now().wall + 1h);
  CHECK(run.wait->since == clock.now().wall);
  CHECK(std::count(told.begin(), told.end(), "iteration:complete") == 0);

  run = go_on(run);
  CHECK(run.state == RunState::succeeded);
  CHECK(rows(run) == Strings{"before succeeded", "review succeeded", "after succeeded"});
  CHECK(processes.calls().size() == 2);
  CHECK(processes.calls().back().environment("HARK_V0") == "true");
}

TEST_CASE_FIXTURE(Events, "wait: a value in the filter is a value, whatever is in it") {
  const std::string hostile = "\"|event.type:*,a:\\\"(){}*?!>\n\xff";
  event(nlohmann::json{{"id", hostile.substr(0, hostile.size() - 1)}}.dump());
  add(wait("w", "done", "payload.id:{payload.id}"));
  const auto run = this->run();
  REQUIRE(run.wait);
  const auto pattern = EventPattern::parse(run.wait->types, run.wait->topic, run.wait->where);
  REQUIRE(pattern);
  Event same = *context.event;
  same.type = "done";
  CHECK(pattern->matches(same));
  same.data = *Payload::parse(R"({"id": "another"})");
  CHECK_FALSE(pattern->matches(same));
}

TEST_CASE_FIXTURE(Events, "wait: one whose time is over ends the run, or not, and what runs always does so") {
  add(wait("w", "done"));
  add(script("after", "x"));
  add(script("clean", "x"));
  handler.steps.back().always = true;
  auto run = go_on(this->run(), StepState::timed_out);
  CHECK(run.state == RunState::timed_out);
  CHECK(run.error == "step 'w'");
  CHECK(rows(run) == Strings{"w timed_out", "clean succeeded"});
  CHECK(run.failed_step == 0u);

  Events tolerant;
  tolerant.handler = handler;
  run = tolerant.go_on(tolerant.run(), StepState::tolerated);
  CHECK(rows(run) == Strings{"w tolerated", "after succeeded", "clean succeeded"});
  CHECK(run.state == RunState::succeeded);

  Events cancelled;
  cancelled.handler = handler;
  run = cancelled.go_on(cancelled.run(), StepState::cancelled);
  CHECK(rows(run) == Strings{"w cancelled", "clean succeeded"});
  CHECK(run.state == RunState::cancelled);
}

TEST_CASE_FIXTURE(Events, "wait: of one that is left out nothing is waited for") {
  add(wait("w", "done"));
  handler.steps.back().condition = *Filter::parse("payload.nothing:");
  const auto run = this->run();
  CHECK(run.state == RunState::succeeded);
  CHECK(rows(run) == Strings{"w skipped"});
}

TEST_CASE_FIXTURE(Events, "wait: as a gate it lets pass, or its silence is what the next iteration hears") {
  add(script("work", "say {feedback}"));
  handler.gates.push_back(wait("approval", "approved"));
  handler.iterations.most = 2;
  auto run = this->run();
  CHECK(rows(run) == Strings{"work succeeded"});
  CHECK(run.wait->part == StepPart::gate);
  run = go_on(run, StepState::timed_out);
  REQUIRE(run.wait);
  CHECK(run.wait->iteration == 2);
  CHECK(rows(run) == Strings{"work succeeded", "approval timed_out", "work succeeded"});
  CHECK(processes.calls().back().environment("HARK_V0").value_or("").find("gate 'approval' did not pass") == 0);
  run = go_on(run);
  CHECK(run.state == RunState::succeeded);
  CHECK(processes.calls().size() == 2);
}

TEST_CASE_FIXTURE(Events, "wait: within recipes and lists the run goes on where it was") {
  GroupStepOptions recipe;
  recipe.steps = {script("a", "x"), wait("w", "done"), script("b", "x")};
  add(step("r", recipe));
  handler.steps.back().foreach = Foreach{Template::parse("{payload.list}"), {}};
  add(script("last", "x"));
  event(R"({"list": [1, 2]})");
  auto run = this->run();
  CHECK(rows(run) == Strings{"r.0.a succeeded"});
  CHECK(run.wait->step == "r.0.w");
  run = go_on(run);
  CHECK(rows(run) == Strings{"r.0.a succeeded", "r.0.w succeeded", "r.0.b succeeded", "r.0 succeeded", "r.1.a succeeded"});
  run = go_on(run);
  CHECK(run.state == RunState::succeeded);
  CHECK(run.steps.size() == 10);
  CHECK(processes.calls().size() == 5);

  Events late;
  late.handler = handler;
  late.context.event = context.event;
  run = late.go_on(late.run(), StepState::timed_out);
  CHECK(run.state == RunState::timed_out);
  CHECK(rows(run) == Strings{"r.0.a succeeded", "r.0.w timed_out", "r.0 timed_out", "r timed_out"});
}

TEST_CASE_FIXTURE(Events, "wait: the workspace is there still, and given back at the end") {
  handler.workspace.kind = WorkspaceOptions::Kind::temporary;
  FileStepOptions write{FileStepOptions::Action::write, Template::parse("note"), Template::parse("kept")};
  add(step("write", write));
  add(wait("w", "done"));
  add(step("read", FileStepOptions{FileStepOptions::Action::read, Template::parse("note"), {}}));
  const auto run_here = [&] {
    return run_pipeline(handler, context, {processes, http, clock, folder.path() / "runs", folder.path() / "workspaces"});
  };
  auto run = run_here();
  REQUIRE(run.wait);
  CHECK(std::count(told.begin(), told.end(), "workspace:released") == 0);
  StepResult row;
  row.name = "w";
  run.steps.push_back(row);
  context.run = run;
  run = run_here();
  CHECK(run.state == RunState::succeeded);
  CHECK(run.steps.back().output == "kept");
  CHECK(std::filesystem::is_empty(folder.path() / "workspaces"));
}

TEST_CASE_FIXTURE(Events, "publish: the event comes with the row, says where it is from, and is the same at every attempt") {
  PublishStepOptions publish;
  publish.type = "review_requested";
  publish.topic = Template::parse("coordination");
  publish.subject = Template::parse("{payload.pr}");
  publish.data = {{"run", "{run.id}"}, {"pr", "{payload.pr}"}, {"n", 1}};
  add(step("ask", publish));
  event(R"({"pr": 7})");
  const auto run = this->run();
  CHECK(run.state == RunState::succeeded);
  REQUIRE(finished.size() == 1);
  REQUIRE(finished[0].published);
  const auto& event = *finished[0].published;
  CHECK(event.type == "review_requested");
  CHECK(event.topic == "coordination");
  CHECK(event.subject == "7");
  CHECK(event.source == "handlers/on-change");
  CHECK(event.correlation_id == "STORY1");
  CHECK(event.causation_id == "RUN1");
  CHECK(event.hops == 1);
  CHECK(event.data.json() == nlohmann::json{{"run", "RUN1"}, {"pr", 7}, {"n", 1}});
  const auto said = nlohmann::json::parse(finished[0].output);
  CHECK(said == nlohmann::json{{"event_id", event.id}, {"type", "review_requested"}, {"topic", "coordination"}});

  finished.clear();
  context.run.attempt = 5;
  this->run();
  CHECK(finished.at(0).published->id == event.id);
  finished.clear();
  handler.steps[0].name = "other";
  this->run();
  CHECK(finished.at(0).published->id != event.id);
}

TEST_CASE_FIXTURE(Events, "publish: what is too large, or has no value, fails for good") {
  PublishStepOptions publish;
  publish.type = "big";
  publish.data = {{"all", "{payload.text}"}};
  add(step("ask", publish));
  event(nlohmann::json{{"text", std::string(1024 * 1024, 'x')}}.dump());
  const auto run = this->run();
  CHECK(run.error == "the data is larger than 1048576 bytes (publish where it is: {steps.NAME.output_file})");
  CHECK_FALSE(finished.at(0).published);
}

TEST_CASE_FIXTURE(Events, "wait: a value that is a list or an object is an error, for nothing that comes is equal to it") {
  for (const char* data : {R"({"k": ["p", "q"]})", R"({"k": {"a": 1}})"}) {
    event(data);
    handler.steps = {wait("w", "t", "payload.k:{payload.k}")};
    const auto run = this->run();
    CHECK(run.state == RunState::failed);
    CHECK(run.error.find("`where` compares with one value, and {payload.k} holds several") == 0);
  }
}

TEST_CASE("ids: a derived one is as old as its run, and another for each name") {
  const std::string run = "01K9ZQ8GJ0ABCDEFGHJKMNPQRS";
  const auto id = derived_id(run, "E/h/ask");
  CHECK(is_id(id));
  CHECK(id.substr(0, 10) == run.substr(0, 10));
  CHECK(id == derived_id(run, "E/h/ask"));
  CHECK(id != derived_id(run, "E/h/asl"));
  CHECK(id != derived_id(run, "E/h/ask/2"));
}
