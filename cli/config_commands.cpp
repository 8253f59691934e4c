#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "core/printable.h"
#include "core/time.h"
#include "daemon/ask_provider.h"
#include "daemon/config.h"
#include "daemon/config_show.h"

namespace hark {

using nlohmann::json;

namespace {

json shown_checks(const std::vector<ProviderCheck>& checks) {
  json shown = json::array();
  for (const auto& check : checks) {
    shown.push_back({{"name", check.name}, {"type", check.type}, {"model", check.model}, {"ok", check.answer.ok()}});
    if (!check.answer) shown.back()["error"] = check.answer.error().text();
  }
  return shown;
}

void print_checks(const std::vector<ProviderCheck>& checks) {
  if (checks.empty()) return output::print_line("no providers are configured: there is nobody to ask");
  std::vector<std::vector<output::Cell>> rows;
  for (const auto& check : checks) {
    const output::Cell answer = check.answer ? output::Cell{check.type == "command" ? is_relative_program(check.model) ? "is looked for in the folder of each run" : "is found" : "answers, in " + to_string(std::chrono::duration_cast<std::chrono::milliseconds>(check.took)), output::Colour::green}
                                             : output::Cell{output::printable(check.answer.error().text()), output::Colour::red};
    rows.push_back({{check.name}, {check.type}, {output::printable(check.model)}, answer});
  }
  output::print_table({{"provider", true}, {"type"}, {"model"}, {"answer", false, 0, output::Overflow::wrap}}, rows);
}

bool all_answer(const std::vector<ProviderCheck>& checks) {
  return std::all_of(checks.begin(), checks.end(), [](const ProviderCheck& check) { return check.answer.ok(); });
}

}  // namespace

int config_check_command(const ConfigCheckCommand& command) {
  const CommonOptions& common = command.common;
  auto request = config_request_from_process();
  request.file = common.config;
  request.profile = common.profile;
  const auto outcome = load_config(request);
  if (common.json) {
    json shown = {{"ok", outcome.loaded.has_value()}, {"errors", json::array()}, {"warnings", json::array()}, {"hints", json::array()}};
    for (const auto& error : outcome.errors) {
      shown["errors"].push_back({{"file", error.file}, {"line", error.line}, {"column", error.column}, {"message", error.message}});
    }
    if (outcome.more_errors > 0) shown["more_errors"] = outcome.more_errors;
    if (outcome.loaded) {
      shown["warnings"] = outcome.loaded->warnings;
      shown["hints"] = outcome.loaded->hints;
    }
    std::vector<ProviderCheck> checks;
    if (outcome.loaded && command.online) {
      checks = ask_providers(outcome.loaded->settings);
      shown["providers"] = shown_checks(checks);
      shown["ok"] = all_answer(checks);
    }
    output::print_json(shown);
    return outcome.loaded && all_answer(checks) ? exit_code::kOk : exit_code::kConfig;
  }
  if (!outcome.loaded) {
    print_errors(outcome);
    return exit_code::kConfig;
  }
  for (const auto* list : {&outcome.loaded->warnings, &outcome.loaded->hints}) {
    for (const auto& each : *list) std::fprintf(stderr, "%s\n", output::printable(each).c_str());
  }
  const auto& settings = outcome.loaded->settings;
  output::print_line(settings.file.string() + ": good: " + counted(settings.sources.size(), "source") + ", " +
                     counted(settings.handlers.size(), "handler"));
  if (!command.online) return exit_code::kOk;
  const auto checks = ask_providers(settings);
  print_checks(checks);
  return all_answer(checks) ? exit_code::kOk : exit_code::kConfig;
}

int config_show_command(const CommonOptions& common) {
  const auto loaded = load_or_complain(common);
  if (!loaded) return exit_code::kConfig;
  if (common.json) {
    output::print_json(config_show_json(*loaded));
  } else {
    std::fputs(config_show_text(*loaded).c_str(), stdout);
  }
  return exit_code::kOk;
}

}  // namespace hark
