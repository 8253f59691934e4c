#include "handlers/steps/run.h"

#include <cstring>
#include <fstream>
#include <utility>

#include "handlers/git_trace.h"

namespace hark {
namespace {

// Order: later entries win, and what hark says of itself is not the configuration's to change.
Status add_environment(const StepCall& call, const Template::Lookup& lookup, RenderedCommand& rendered, Command& command) {
  const auto& run = call.context.run;
  const auto& event = *call.context.event;
  auto& environment = command.environment;
  environment.reserve(call.handler.environment.size() + rendered.values.size() + 10);
  for (const auto& [name, value] : call.handler.environment) environment.emplace_back(name, value.render(lookup));
  if (auto trouble = call.scope.take_trouble()) return *trouble;
  for (auto& value : rendered.values) environment.push_back(std::move(value));
  environment.emplace_back("HARK_EVENT_ID", event.id);
  environment.emplace_back("HARK_EVENT_TYPE", event.type);
  environment.emplace_back("HARK_SOURCE", event.source);
  environment.emplace_back("HARK_HANDLER", call.handler.name);
  environment.emplace_back("HARK_RUN_ID", run.id);
  environment.emplace_back("HARK_ATTEMPT", std::to_string(run.attempt));
  environment.emplace_back("HARK_CORRELATION_ID", run.correlation_id);
  environment.emplace_back("HARK_IDEMPOTENCY_KEY", idempotency_key(call));
  const auto& containment = call.handler.containment;
  if (call.handler.traces_git && !containment.user) {  // another user may not enter hark's folder, and git would complain of it
    const auto trace = prepare_git_trace(call.tools.output_folder, run.id);
    if (!trace.empty()) environment.emplace_back("GIT_TRACE_REFS", trace.string());
    if (!trace.empty() && containment.sandbox) {
      std::ofstream(trace, std::ios::app);  // there to be let in
      command.appended_files.push_back(trace.string());
    }
  }
  if (!event.traceparent.empty()) environment.emplace_back("TRACEPARENT", event.traceparent);
  return {};
}

void take(Captured& captured, std::string& text, std::uint64_t& bytes, std::string& file) {
  text = std::move(captured.head);
  bytes = captured.bytes;
  file = std::move(captured.file);
}

StepResult judge(ProcessResult& ended) {
  StepResult result;
  result.exit_code = ended.code;
  switch (ended.end) {
    case ProcessResult::End::exited:
      if (ended.code != 0) {
        result.state = StepState::failed;
        result.error = "exit status " + std::to_string(ended.code);
      }
      break;
    case ProcessResult::End::signalled:
      result.state = StepState::failed;
      result.error = "ended by signal " + std::to_string(ended.code - 128) + " (" + strsignal(ended.code - 128) + ")";
      break;
    case ProcessResult::End::timed_out:
      result.state = StepState::timed_out;
      break;
    case ProcessResult::End::cancelled:
      result.state = StepState::cancelled;
      break;
  }
  take(ended.output, result.output, result.output_bytes, result.output_file);
  take(ended.error_output, result.error_output, result.error_bytes, result.error_file);
  return result;
}

bool is_plain_word(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::strchr("-_./:=@%+,", c) != nullptr;
    if (!plain || c == '\0') return false;
  }
  return true;
}

}  // namespace

Result<RenderedCommand> render_command(const RunStepOptions& options, Scope& scope) {
  const auto lookup = [&](std::string_view name) { return scope.value(name); };
  RenderedCommand rendered;
  if (options.shell) {
    auto shell = render_shell(options.script, lookup);
    if (auto trouble = scope.take_trouble()) return *trouble;
    if (!shell) return shell.error();
    rendered.argv = {"/bin/sh", "-c", std::move(shell->script)};
    rendered.values = std::move(shell->environment);
    return rendered;
  }
  auto arguments = render_arguments(options.arguments, lookup);
  if (auto trouble = scope.take_trouble()) return *trouble;
  if (!arguments) return arguments.error();
  rendered.argv = std::move(*arguments);
  return rendered;
}

void render(const RunStepOptions& options, Scope& scope, RenderedStep& shown) {
  shown.kind = "run";
  auto command = render_command(options, scope);
  if (!command) {
    shown.error = command.error().text();
    return;
  }
  shown.text = options.shell ? command->argv.back() : shown_argv(command->argv);
  shown.values = std::move(command->values);
}

StepResult attempt(const RunStepOptions& options, const StepCall& call) { return attempt_command(options, call.scope.event_text(), call); }

StepResult attempt_command(const RunStepOptions& options, std::string input, const StepCall& call) {
  auto rendered = render_command(options, call.scope);
  if (!rendered) return failed_for_good(rendered.error());
  Command command;
  const auto lookup = [&](std::string_view name) { return call.scope.value(name); };
  if (auto added = add_environment(call, lookup, *rendered, command); !added) return failed_for_good(added.error());
  command.argv = std::move(rendered->argv);
  command.working_directory = call.folder;
  command.input = std::move(input);
  command.run_id = call.context.run.id;
  command.output_stem = call.scope.output_stem(call.name);
  command.containment = call.handler.containment;
  command.mask = mask_of(call.tools);

  auto ended = call.tools.processes.run(command, call.deadline, call.stop);
  if (!ended) {
    StepResult result;
    result.state = StepState::failed;
    result.error = ended.error().text();
    return result;
  }
  StepResult result = judge(*ended);
  if (result.state != StepState::succeeded && !ended->note.empty()) result.error += (result.error.empty() ? "" : "; ") + ended->note;
  return result;
}

std::string shown_argv(const std::vector<std::string>& argv) {
  std::string out;
  for (const auto& word : argv) {
    if (!out.empty()) out += ' ';
    if (is_plain_word(word)) {
      out += word;
      continue;
    }
    out += '\'';
    for (const char c : word) {
      if (c == '\'')
        out += "'\\''";
      else
        out += c;
    }
    out += '\'';
  }
  return out;
}

}  // namespace hark
