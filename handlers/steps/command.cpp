#include "handlers/steps/command.h"

#include <cstring>
#include <fstream>

#include "handlers/git_trace.h"

namespace hark {
namespace {

// Order: later entries win, and what hark says of itself is not the configuration's to change.
Status add_environment(const StepCall& call, std::vector<std::pair<std::string, std::string>> values, Command& command) {
  const auto& run = call.context.run;
  const auto& event = *call.context.event;
  auto& environment = command.environment;
  const auto lookup = [&](std::string_view name) { return call.scope.value(name); };
  environment.reserve(call.handler.environment.size() + values.size() + 10);
  for (const auto& [name, value] : call.handler.environment) environment.emplace_back(name, value.render(lookup));
  if (auto trouble = call.scope.take_trouble()) return *trouble;
  for (auto& value : values) environment.push_back(std::move(value));
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
  if (auto trace = traceparent_of(call); !trace.empty()) environment.emplace_back("TRACEPARENT", std::move(trace));
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

}  // namespace

Containment containment_in(const Handler& handler, const std::string& folder) {
  auto containment = handler.containment;
  const auto& workspace = handler.workspace;
  if (!containment.sandbox || workspace.kind == WorkspaceOptions::Kind::none) return containment;
  if (!handler.working_directory.empty()) containment.sandbox->writable.push_back(folder.substr(0, folder.size() - handler.working_directory.size() - 1));
  if (!workspace.repository.empty()) containment.sandbox->readable.push_back(workspace.repository);
  return containment;
}

Result<Command> command_of(const StepCall& call, std::vector<std::pair<std::string, std::string>> values) {
  Command command;
  if (auto added = add_environment(call, std::move(values), command); !added) return added.error();
  command.working_directory = call.folder;
  command.run_id = call.context.run.id;
  command.output_stem = call.scope.output_stem(call.name);
  command.containment = containment_in(call.handler, call.folder);
  command.mask = mask_of(call.tools);
  return command;
}

StepResult run_command(const Command& command, const StepCall& call) {
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

}  // namespace hark
