#include "handlers/steps/run.h"

#include <cstring>
#include <utility>

#include "handlers/steps/command.h"

namespace hark {
namespace {

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
  auto command = command_of(call, std::move(rendered->values));
  if (!command) return failed_for_good(command.error());
  command->argv = std::move(rendered->argv);
  command->input = std::move(input);
  return run_command(*command, call);
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
