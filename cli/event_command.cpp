#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/dry_run.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/payload_argument.h"
#include "cli/run_table.h"
#include "core/event_json.h"
#include "daemon/one_shot.h"

namespace hark {

using nlohmann::json;

namespace {

int show_dry_run(const Settings& settings, OneShotRequest request, bool as_json) {
  const auto result = dry_run_event(settings, std::move(request));
  if (!result) {
    output::complain(result.error());
    return exit_code::kUsage;
  }
  if (as_json) {
    output::print_json(to_json(*result));
    return exit_code::kOk;
  }
  print_dry_run(*result);
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
  request.event.subject = command.subject;
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
  for (const auto& run : outcome->runs) succeeded = succeeded && (run.state == RunState::succeeded || run.state == RunState::waiting);
  if (command.common.json) {
    json shown = {{"event", to_json(outcome->event)}, {"decisions", json::array()}, {"runs", json::array()}};
    for (const auto& decision : outcome->decisions) shown["decisions"].push_back(to_json(decision));
    for (const auto& run : outcome->runs) shown["runs"].push_back(to_json(run));
    output::print_json(shown);
  } else {
    if (outcome->runs.empty()) {
      for (const auto& decision : outcome->decisions) output::complain(text_of(decision));
    }
    for (const auto& run : outcome->runs) print_run(to_json(run));
    for (const auto& run : outcome->runs) {
      if (run.state != RunState::waiting) continue;
      output::complain("run " + run.id + " " + run.error + ": a daemon goes on with it then, one that runs or the next to start");
    }
  }
  if (outcome->ended_by != 0) return exit_code::kSignal + outcome->ended_by;
  return succeeded ? exit_code::kOk : exit_code::kFailed;
}

}  // namespace hark
