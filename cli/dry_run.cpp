#include "cli/dry_run.h"

#include <chrono>
#include <optional>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "core/event_json.h"

namespace hark {

using nlohmann::json;

namespace {

double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

json to_json(const RenderedStep& step) {
  json shown = {{"name", step.name}, {"kind", step.kind}, {"text", step.text}, {"values", json::object()}, {"attempts", step.retry.attempts}};
  for (const auto& [name, value] : step.values) shown["values"][name] = value;
  if (step.part != StepPart::step) shown["part"] = to_string(step.part);
  if (step.timeout) shown["timeout_ms"] = milliseconds(*step.timeout);
  if (!step.foreach.empty()) shown["foreach"] = step.foreach;
  if (!step.condition.empty()) shown["if"] = step.condition;
  if (!step.skipped.empty()) shown["skipped"] = step.skipped;
  if (!step.error.empty()) shown["error"] = step.error;
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
  const auto part = step.part == StepPart::step ? std::string() : std::string(to_string(step.part)) + " ";
  output::print_line("  " + part + step.name + " (" + step.kind + ")" + bounds_of(step.timeout, step.retry));
  if (!step.foreach.empty()) print("for each of " + step.foreach, output::Colour::grey);
  if (!step.condition.empty()) print("if: " + step.condition + " (not known yet)", output::Colour::yellow);
  if (!step.skipped.empty()) print("skipped: " + step.skipped, output::Colour::grey);
  if (!step.error.empty()) return print("would fail: " + step.error, output::Colour::red);
  if (!step.text.empty()) print(step.text);
  for (const auto& [name, value] : step.values) print(name + "=" + value, output::Colour::grey);
}

}  // namespace

std::string text_of(const Decision& decision) {
  return std::string(to_string(decision.stage)) + " " + std::string(to_string(decision.verdict)) +
         (decision.handler.empty() ? "" : " for '" + decision.handler + "'") + ": " + decision.reason;
}

json to_json(const DryRun& result) {
  json shown = {{"event", to_json(result.event)}, {"decisions", json::array()}, {"handlers", json::array()}};
  for (const auto& decision : result.decisions) shown["decisions"].push_back(to_json(decision));
  for (const auto& matched : result.handlers) {
    json handler = {{"name", matched.handler}, {"attempts", matched.retry.attempts}, {"steps", json::array()}};
    if (matched.timeout) handler["timeout_ms"] = milliseconds(*matched.timeout);
    for (const auto& step : matched.steps) handler["steps"].push_back(to_json(step));
    shown["handlers"].push_back(std::move(handler));
  }
  return shown;
}

void print_dry_run(const DryRun& result) {
  for (const auto& decision : result.decisions) output::print_line(output::printable(text_of(decision)));
  for (const auto& matched : result.handlers) {
    output::print_line(matched.handler + bounds_of(matched.timeout, matched.retry));
    for (const auto& step : matched.steps) print_step(step);
  }
}

}  // namespace hark
