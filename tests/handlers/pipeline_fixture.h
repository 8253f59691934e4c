// What a pipeline needs around it, in one place: an event, a handler under construction, fakes, a folder.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "handlers/pipeline.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"
#include "tests/support/fake_processes.h"
#include "tests/support/temporary_folder.h"

namespace hark::test {

struct PipelineFixture {
  TemporaryFolder folder;
  FakeProcesses processes;
  FakeHttpClient http;
  FakeClock clock;
  Handler handler;
  RunContext context;
  std::stop_source stop;
  std::vector<StepResult> finished;

  PipelineFixture() {
    handler.name = "on-change";
    event("{}");
    context.run.id = "RUN1";
    context.run.handler = handler.name;
    context.run.correlation_id = "STORY1";
    context.run.attempt = 2;
    context.stop = stop.get_token();
    context.step_finished = [this](std::size_t index, const StepResult& step) {
      if (index == finished.size()) finished.push_back(step);
    };
  }

  void event(const std::string& data) {
    Event made;
    made.id = "EVENT1";
    made.type = "webhook";
    made.source = "deploy";
    made.subject = "main";
    made.time = WallTime{std::chrono::seconds(1'790'000'000)};
    made.correlation_id = "STORY1";
    made.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    made.data = *Payload::parse(data);
    context.event = std::make_shared<const Event>(made);
  }

  StepOptions& shell(const std::string& name, const std::string& script) {
    RunStepOptions options;
    options.script = Template::parse(script);
    return add(name, std::move(options));
  }
  StepOptions& argv(const std::string& name, const std::vector<std::string>& words) {
    RunStepOptions options;
    options.shell = false;
    for (const auto& word : words) options.arguments.push_back(Template::parse(word));
    return add(name, std::move(options));
  }
  HttpStepOptions& call(const std::string& name, const std::string& url, const std::string& method = "POST") {
    HttpStepOptions options;
    options.method = method;
    options.url = Template::parse(url);
    return std::get<HttpStepOptions>(add(name, std::move(options)).kind);
  }
  void only_if(StepOptions& step, const std::string& filter) { step.condition = *Filter::parse(filter); }

  Run run() { return run_with(processes, clock); }
  Run run_with(ProcessSpawner& spawner, const Clock& time) {
    return run_pipeline(handler, context, {spawner, http, time, folder.path() / "runs"});
  }

 private:
  template <class Options>
  StepOptions& add(const std::string& name, Options options) {
    handler.steps.reserve(16);  // references handed out stay good
    StepOptions step;
    step.name = name;
    step.kind = std::move(options);
    return handler.steps.emplace_back(std::move(step));
  }
};

}  // namespace hark::test
