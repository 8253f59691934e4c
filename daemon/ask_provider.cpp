#include "daemon/ask_provider.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/limits.h"
#include "handlers/providers/provider.h"
#include "platform/clock.h"
#include "platform/http_client.h"
#include "platform/process.h"

namespace hark {
namespace {

using Type = ProviderOptions::Type;

std::string_view type_name(Type type) { return type == Type::openai ? "openai" : type == Type::anthropic ? "anthropic" : "command"; }

// The first word that is no assignment.
std::string program_of(const RunStepOptions& command) {
  if (!command.shell) return command.arguments.empty() ? std::string() : command.arguments.front().text();
  std::string_view script = command.script.text();
  constexpr std::string_view kBlank = " \t\r\n";
  for (;;) {
    script.remove_prefix(std::min(script.find_first_not_of(kBlank), script.size()));
    const auto word = script.substr(0, script.find_first_of(kBlank));
    if (word.find('=') == word.npos) return std::string(word);
    script.remove_prefix(word.size());
  }
}

Status find_program(const std::string& program, ProcessSpawner& processes) {
  if (is_relative_program(program)) return {};  // in the folder that a run works in, which may be one that is made for it
  Command look;
  look.argv = {"/bin/sh", "-c", R"(command -v -- "$1")", "sh", program};
  const auto found = processes.run(look, {}, {});
  if (!found) return found.error();
  if (found->code == 0) return {};
  return Error{"no program '" + program + "' is found in PATH", "check the spelling, install it, or give its full path"};
}

Status ask_for_a_word(ProviderOptions provider, HttpClient& http, const Clock& clock) {
  provider.max_tokens = limits::kCheckTokens;
  const Answer answer = ask(provider, {{}, "Answer with the word pong.", nullptr}, http, limits::kCheckTimeout, {}, clock.now().wall);
  // One that is cut off is an answer.
  return answer.error && !answer.stopped ? Status(*answer.error) : Status();
}

}  // namespace

bool is_relative_program(const std::string& program) { return program.find('/') != program.npos && program.front() != '/'; }

std::vector<ProviderCheck> ask_providers(const Settings& settings) {
  RealHttpClient http;
  RealProcessSpawner processes;
  const SystemClock clock;
  std::vector<ProviderCheck> checks;
  for (const auto& [provider, retry, timeout] : settings.providers) {
    const auto began = clock.now().steady;
    ProviderCheck check;
    check.name = provider.name;
    check.type = type_name(provider.type);
    check.model = provider.type == Type::command ? program_of(provider.command) : provider.model;
    check.answer = provider.type == Type::command ? find_program(check.model, processes) : ask_for_a_word(provider, http, clock);
    check.took = clock.now().steady - began;
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace hark
