#include <chrono>
#include <optional>

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

std::string text_of(const Decision& decision) {
  return std::string(to_string(decision.stage)) + " " + std::string(to_string(decision.verdict)) +
         (decision.handler.empty() ? "" : " for '" + decision.handler + "'") + ": " + decision.reason;
}

double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

json to_json(const RenderedStep& step) {
  json shown = {{"name", step.name}, {"kind", step.kind}, {"text", step.text}, {"values", json::object()}, {"attempts", step.retry.attempts}};
  for (const auto& [name, value] : step.values) shown["values"][name] = value;
  if (step.timeout) shown["timeout_ms"] = milliseconds(*step.timeout);
  if (!step.condition.empty()) shown["if"] = step.condition;
  if (!step.skipped.empty()) shown["skipped"] = step.skipped;
  if (!step.error.empty()) shown["error"] = step.error;
  return shown;
}

json to_json(const DryRun& result) {
  json shown = {{"event", to_json(result.event)}, {"decisions", json::array()}, {"handlers", json::array()}};
  for (const auto& decision : result.decisions) shown["decisions"].push_back(to_json(decision));
  for (const auto& matched : result.handlers) {
    json handler = {{"name", matched.handler}, {"steps", json::array()}};
    if (matched.timeout) handler["timeout_ms"] = milliseconds(*matched.timeout);
    for (const auto& step : matched.steps) handler["steps"].push_back(to_json(step));
    shown["handlers"].push_back(std::move(handler));
  }
  return shown;
}

// "  timeout 5s  3 attempts, pauses from 1s to 1m"; empty where nothing is said.
std::string bounds_of(const std::optional<Duration>& timeout, const Retry& retry) {
  std::string text;
  if (timeout) text += "  timeout " + to_string(*timeout);
  if (retry.attempts > 1) {
    text += "  " + std::to_string(retry.attempts) + " attempts, pauses from " + to_string(retry.backoff.first) + " to " + to_string(retry.backoff.max);
  }
  return text;
}

void print_step(const RenderedStep& step) {
  constexpr std::size_t kMargin = 4;
  const auto print = [](const std::string& text, output::Colour colour = output::Colour::none) {
    output::print_line(output::painted(output::indented(output::printable(text), kMargin), colour));
  };
  output::print_line("  " + step.name + " (" + step.kind + ")" + bounds_of(step.timeout, step.retry));
  if (!step.condition.empty()) print("if: " + step.condition + " (not known yet)", output::Colour::yellow);
  if (!step.skipped.empty()) print("skipped: " + step.skipped, output::Colour::grey);
  if (!step.error.empty()) return print("would fail: " + step.error, output::Colour::red);
  print(step.text);
  for (const auto& [name, value] : step.values) print(name + "=" + value, output::Colour::grey);
}

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
  for (const auto& decision : result->decisions) output::print_line(output::printable(text_of(decision)));
  for (const auto& matched : result->handlers) {
    output::print_line(matched.handler + bounds_of(matched.timeout, {}));
    for (const auto& step : matched.steps) print_step(step);
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
  for (const auto& run : outcome->runs) succeeded = succeeded && run.state == RunState::succeeded;
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
  }
  if (outcome->ended_by != 0) return exit_code::kSignal + outcome->ended_by;
  return succeeded ? exit_code::kOk : exit_code::kFailed;
}

}  // namespace hark
