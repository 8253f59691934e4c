#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/payload_argument.h"
#include "cli/run_table.h"
#include "core/event_json.h"
#include "daemon/one_shot.h"

namespace hark {

using nlohmann::json;

namespace {

void print_decisions(const std::vector<Decision>& decisions) {
  for (const auto& decision : decisions) {
    output::complain(std::string(to_string(decision.stage)) + " " + std::string(to_string(decision.verdict)) +
                     (decision.handler.empty() ? "" : " for '" + decision.handler + "'") + ": " + decision.reason);
  }
}

int show_dry_run(const Settings& settings, OneShotRequest request, bool as_json) {
  const auto result = dry_run_event(settings, std::move(request));
  if (!result) {
    output::complain(result.error());
    return exit_code::kUsage;
  }
  if (as_json) {
    json shown = {{"event", to_json(result->event)}, {"decisions", json::array()}, {"handlers", json::array()}};
    for (const auto& decision : result->decisions) shown["decisions"].push_back(to_json(decision));
    for (const auto& matched : result->handlers) {
      json steps = json::array();
      for (const auto& step : matched.steps) {
        json one = {{"name", step.name}, {"kind", step.kind}, {"text", step.text}, {"values", json::object()}};
        for (const auto& [name, value] : step.values) one["values"][name] = value;
        if (!step.skipped.empty()) one["skipped"] = step.skipped;
        steps.push_back(std::move(one));
      }
      shown["handlers"].push_back({{"name", matched.handler}, {"steps", std::move(steps)}});
    }
    output::print_json(shown);
    return exit_code::kOk;
  }
  print_decisions(result->decisions);
  for (const auto& matched : result->handlers) {
    output::print_line(matched.handler);
    for (const auto& step : matched.steps) {
      output::print_line("  " + step.name + " (" + step.kind + ")" + (step.skipped.empty() ? "" : "  skipped: " + output::printable(step.skipped)));
      output::print_line("    " + output::printable(step.text));
      for (const auto& [name, value] : step.values) output::print_line(output::painted("    " + name + "=" + output::printable(value), output::Colour::grey));
    }
  }
  return exit_code::kOk;
}

}  // namespace

int event_command(const EventCommand& command) {
  auto payload = read_payload_argument(command.payload);
  if (!payload) {
    output::complain(payload.error());
    return exit_code::kUsage;
  }
  const auto loaded = load_or_complain(command.common);
  if (!loaded) return exit_code::kConfig;

  OneShotRequest request;
  request.handler = command.handler;
  request.event.type = command.type;
  request.event.source = command.source;
  if (!payload->empty()) {
    auto data = Payload::parse(std::move(*payload));
    if (!data) {
      output::complain(data.error());
      return exit_code::kUsage;
    }
    request.event.data = std::move(*data);
  }
  if (command.dry_run) return show_dry_run(loaded->settings, std::move(request), command.common.json);

  const auto outcome = run_event(loaded->settings, std::move(request));
  if (!outcome) {
    output::complain(outcome.error());
    return exit_code::kFailed;
  }
  bool succeeded = true;
  for (const auto& run : outcome->runs) succeeded = succeeded && run.state == RunState::succeeded;
  if (command.common.json) {
    json shown = {{"event", to_json(outcome->event)}, {"decisions", json::array()}, {"runs", json::array()}};
    for (const auto& decision : outcome->decisions) shown["decisions"].push_back(to_json(decision));
    for (const auto& run : outcome->runs) shown["runs"].push_back(to_json(run));
    output::print_json(shown);
  } else {
    if (outcome->runs.empty()) print_decisions(outcome->decisions);
    for (const auto& run : outcome->runs) print_run(to_json(run));
  }
  if (outcome->ended_by != 0) return exit_code::kSignal + outcome->ended_by;
  return succeeded ? exit_code::kOk : exit_code::kFailed;
}

}  // namespace hark
