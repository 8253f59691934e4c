// What a pipeline needs around it, in one place: an event, a handler under construction, fakes, a folder.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "handlers/pipeline.h"
#include "platform/secrets.h"
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
  Secrets secrets;
  Handler handler;
  RunContext context;
  std::stop_source stop;
  std::vector<StepResult> finished;
  std::vector<std::string> told;  // names of what was told, with what it decided

  PipelineFixture() {
    handler.name = "on-change";
    event("{}");
    context.run.id = "RUN1";
    context.run.handler = handler.name;
    context.run.correlation_id = "STORY1";
    context.run.attempt = 2;
    context.stop = stop.get_token();
    context.step_finished = [this](std::size_t index, const StepResult& step, bool) {
      if (index == finished.size()) finished.push_back(step);
    };
    context.tell = [this](const lifecycle::Any& event) {
      std::string line(lifecycle::name(event));
      if (const auto* decision = std::get_if<lifecycle::StrategyDecision>(&event)) line += " " + std::string(decision->decision);
      if (const auto* gate = std::get_if<lifecycle::GateChecked>(&event)) line += " " + gate->gate + (gate->passed ? " passed" : " refused");
      told.push_back(std::move(line));
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
    return add(name, script_of(script));
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
  // A command that is a gate, or of the delivery.
  StepOptions& gate(const std::string& name, const std::string& script) { return add(handler.gates, name, script_of(script)); }
  StepOptions& deliver(const std::string& name, const std::string& script) { return add(handler.delivery, name, script_of(script)); }
  PromptStepOptions& ask(const std::string& name, const std::string& text, ProviderOptions::Type type = ProviderOptions::Type::openai) {
    PromptStepOptions options;
    options.prompt = Template::parse(text);
    options.provider.type = type;
    options.provider.name = "local";
    options.provider.base_url = "http://127.0.0.1:11434/v1";
    options.provider.model = "small";
    return std::get<PromptStepOptions>(add(name, std::move(options)).kind);
  }
  void only_if(StepOptions& step, const std::string& filter) { step.condition = *Filter::parse(filter); }

  Run run() { return run_with(processes, clock); }
  Run run_with(ProcessSpawner& spawner, const Clock& time) {
    return run_pipeline(handler, context, {spawner, http, time, folder.path() / "runs", {}, &secrets});
  }

 private:
  static RunStepOptions script_of(const std::string& script) {
    RunStepOptions options;
    options.script = Template::parse(script);
    return options;
  }
  template <class Options>
  StepOptions& add(const std::string& name, Options options) {
    return add(handler.steps, name, std::move(options));
  }
  template <class Options>
  static StepOptions& add(std::vector<StepOptions>& list, const std::string& name, Options options) {
    list.reserve(16);  // references handed out stay good
    StepOptions step;
    step.name = name;
    step.kind = std::move(options);
    return list.emplace_back(std::move(step));
  }
};

}  // namespace hark::test
