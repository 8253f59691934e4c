#include "handlers/steps/prompt.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/json_schema.h"
#include "core/limits.h"
#include "core/payload.h"
#include "handlers/providers/provider.h"
#include "handlers/steps/run.h"
#include "platform/clock.h"

namespace hark {
namespace {

Result<Prompt> render_prompt(const PromptStepOptions& options, Scope& scope) {
  const auto lookup = [&](std::string_view name) { return scope.value(name); };
  Prompt prompt{options.system.render(lookup), options.prompt.render(lookup), options.schema.is_null() ? nullptr : &options.schema};
  if (auto trouble = scope.take_trouble()) return *trouble;
  if (prompt.text.find_first_not_of(" \t\r\n") == std::string::npos) return Error{"the prompt is empty with its values put in", ""};
  if (prompt.system.size() + prompt.text.size() > limits::kPrompt) {
    return Error{"the prompt is longer than " + std::to_string(limits::kPrompt) + " bytes with its values put in", "hand on a part, or a file's name"};
  }
  return prompt;
}

// All that a command is told, in one text.
std::string whole_text(const Prompt& prompt) {
  std::string text = prompt.system.empty() ? "" : prompt.system + "\n\n";
  text += prompt.text;
  if (prompt.schema != nullptr) text += "\n\n" + shape_request(*prompt.schema);
  return text;
}

// What stands within a fence, where the whole answer is one.
std::string without_fence(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n", kFence = "```";
  const auto trim = [&] {
    text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
    text = text.substr(0, text.find_last_not_of(kSpace) + 1);
  };
  trim();
  const auto line = text.find('\n');
  if (text.starts_with(kFence) && line != text.npos && text.substr(line).ends_with(kFence)) {
    text = text.substr(line, text.size() - line - kFence.size());
    trim();
  }
  return std::string(text);
}

Status check_shape(const std::string& answer, const nlohmann::json& schema) {
  const auto document = parse_json(answer, "the answer");
  return document ? check_json(*document, schema) : Status(document.error());
}

// Another answer may fit: it is worth an attempt, whatever the status or exit status of this one.
void take_shaped(std::string answer, const PromptStepOptions& options, const StepCall& call, StepResult& result) {
  answer = without_fence(answer);
  if (auto fits = check_shape(answer, options.schema); !fits) {
    result.state = StepState::failed;
    result.error = "the answer does not fit json_schema: " + fits.error().text();
    result.exit_code.reset();
  }
  keep_output(std::move(answer), call, result);
}

StepResult ask_command(const PromptStepOptions& options, const Prompt& prompt, const StepCall& call) {
  StepResult result = attempt_command(options.provider.command, whole_text(prompt), call);
  if (result.state == StepState::failed) result.error = named(options.provider) + ": " + result.error;
  if (result.state != StepState::succeeded || prompt.schema == nullptr) return result;
  auto answer = whole_output(result);
  if (!answer) return failed_for_good(answer.error());
  result.output_file.clear();
  take_shaped(std::move(*answer), options, call, result);
  return result;
}

StepResult ask_over_http(const PromptStepOptions& options, const Prompt& prompt, const StepCall& call) {
  const Now now = call.tools.clock.now();
  Duration timeout = limits::kAnswerTimeout;
  if (call.deadline) timeout = std::max<Duration>(std::chrono::milliseconds(1), *call.deadline - now.steady);
  Answer answer = ask(options.provider, prompt, call.tools.http, timeout, call.stop, now.wall);
  StepResult result;
  result.usage = answer.usage;
  result.exit_code = answer.status;
  result.is_status = true;
  result.for_good = answer.for_good;
  result.retry_after = answer.retry_after;
  if (!answer.error) {
    if (prompt.schema != nullptr)
      take_shaped(std::move(answer.text), options, call, result);
    else
      keep_output(std::move(answer.text), call, result);
    return result;
  }
  keep_output(std::move(answer.text), call, result);
  result.state = state_of_failure(call);
  if (result.state == StepState::failed) result.error = answer.error->text();
  return result;
}

std::string_view type_of(const ProviderOptions& provider) {
  switch (provider.type) {
    case ProviderOptions::Type::openai: return "openai";
    case ProviderOptions::Type::anthropic: return "anthropic";
    case ProviderOptions::Type::command: return "command";
  }
  return "";
}

void tell(const StepCall& call, lifecycle::Any event) {
  if (call.context.tell) call.context.tell(std::move(event));
}

std::string to_whom(const ProviderOptions& provider) {
  if (provider.type == ProviderOptions::Type::command) {
    const auto& command = provider.command;
    if (command.shell) return command.script.text();
    std::vector<std::string> words;
    for (const auto& word : command.arguments) words.push_back(word.text());
    return shown_argv(words);
  }
  return provider.model + " at " + provider.base_url;
}

}  // namespace

void render(const PromptStepOptions& options, Scope& scope, RenderedStep& shown) {
  shown.kind = "prompt";
  const auto prompt = render_prompt(options, scope);
  if (!prompt) {
    shown.error = prompt.error().text();
    return;
  }
  shown.text = named(options.provider) + ": " + to_whom(options.provider) + "\n\n";
  if (!prompt->system.empty()) shown.text += "system: " + prompt->system + "\n\n";
  shown.text += prompt->text;
  if (prompt->schema != nullptr) shown.text += "\n\nthe answer must fit " + write_json(*prompt->schema);
}

StepResult attempt(const PromptStepOptions& options, const StepCall& call) {
  const auto prompt = render_prompt(options, call.scope);
  if (!prompt) return failed_for_good(prompt.error());
  const auto began = call.tools.clock.now().steady;
  tell(call, lifecycle::AgentStarted{lifecycle::of(call.context.run), call.iteration, call.name, options.provider.name, type_of(options.provider)});
  const bool command = options.provider.type == ProviderOptions::Type::command;
  auto result = command ? ask_command(options, *prompt, call) : ask_over_http(options, *prompt, call);
  result.provider = options.provider.name;
  tell(call, lifecycle::AgentComplete{lifecycle::of(call.context.run), call.iteration, call.name, options.provider.name, type_of(options.provider), result.state,
                                      kept_error(result.error, call.tools), result.usage, call.tools.clock.now().steady - began});
  return result;
}

}  // namespace hark
