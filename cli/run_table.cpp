#include "cli/run_table.h"

#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include "cli/output.h"

namespace hark {

using nlohmann::json;

namespace {

std::string duration_text(const json& object) {
  if (!object.contains("duration_ms")) return "-";
  const double ms = object["duration_ms"].get<double>();
  char text[32];
  if (ms < 1000) {
    std::snprintf(text, sizeof text, "%.0f ms", ms);
  } else {
    std::snprintf(text, sizeof text, "%.1f s", ms / 1000);
  }
  return text;
}

void print_output(const json& step, const char* name, const char* file) {
  auto text = output::printable(step.value(name, std::string{}));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty()) output::print_line(output::indented(text, 6));
  if (step.contains(file)) output::print_line(output::painted("      all of it: " + step[file].get<std::string>(), output::Colour::grey));
}

// One that was not the last: how it ended, in a line.
void print_attempt(const json& attempt) {
  const auto state = attempt["state"].get<std::string>();
  auto line = "  attempt " + std::to_string(attempt["attempt"].get<int>()) + "  " + output::painted(state, output::colour_of_state(state)) + "  " + duration_text(attempt);
  if (attempt.contains("error")) line += "  " + output::printable(attempt["error"].get<std::string>());
  output::print_line(line);
}

// The error of one that goes on is that of its attempt before.
std::string of_now_or_before(const json& run) {
  const auto error = run.value("error", std::string{});
  const auto state = run["state"].get<std::string>();
  return error.empty() || (state != "running" && state != "queued") ? error : "the attempt before: " + error;
}

// "1200 tokens in, 340 out, 0.0087 USD"
std::string usage_text(const json& usage) {
  std::string text = std::to_string(usage.value("input_tokens", std::uint64_t{0})) + " tokens in, " + std::to_string(usage.value("output_tokens", std::uint64_t{0})) + " out";
  if (!usage.contains("cost")) return text;
  char cost[64];
  std::snprintf(cost, sizeof cost, ", %.4g USD", usage["cost"].get<double>());
  return text + cost;
}

}  // namespace

std::string dead_letter_note(const json& run) {
  if (!run.contains("dead_since")) return {};
  return "stands in the dead letters since " + run["dead_since"].get<std::string>() + ": `hark dead-letters retry " + run["id"].get<std::string>() + "`";
}

void print_runs(const json& runs, WallTime now, const ShownId& shown_id) {
  if (runs.empty()) return;
  std::vector<std::vector<output::Cell>> rows;
  for (const auto& run : runs) {
    const auto state = run["state"].get<std::string>();
    const auto when = from_rfc3339(run.value("started", run.value("queued", std::string{})));
    const auto id = run["id"].get<std::string>();
    rows.push_back({{shown_id ? shown_id(id) : id},
                    {when ? output::ago(*when, now) : "-"},
                    {run["handler"].get<std::string>()},
                    {state, output::colour_of_state(state)},
                    {duration_text(run)},
                    {run["event"]["source"].get<std::string>()},
                    {of_now_or_before(run)}});
  }
  output::print_table({{"RUN", true}, {"WHEN", true}, {"HANDLER"}, {"STATE", true}, {"TOOK", true, 1}, {"SOURCE", false, 2}, {"ERROR", false, 0, output::Overflow::middle}}, rows);
}

void print_run(const json& run) {
  const auto state = run["state"].get<std::string>();
  output::print_line(run["id"].get<std::string>() + "  " + run["handler"].get<std::string>() + "  " +
                     output::painted(state, output::colour_of_state(state)) + "  " + duration_text(run) +
                     (run.value("attempt", 1) > 1 ? "  attempt " + std::to_string(run["attempt"].get<int>()) : ""));
  output::print_line("  event " + run["event"]["id"].get<std::string>() + " (" + output::printable(run["event"]["type"].get<std::string>()) + " from '" +
                     output::printable(run["event"]["source"].get<std::string>()) + "')");
  if (run.contains("error")) output::print_line("  " + output::printable(of_now_or_before(run)));
  if (state == "queued") output::print_line("  waits: `hark explain " + run["id"].get<std::string>() + "` says for what");
  if (const auto note = dead_letter_note(run); !note.empty()) output::print_line("  " + note);
  for (const auto& attempt : run.value("attempts", json::array())) print_attempt(attempt);
  int iteration = 1;
  for (const auto& step : run.value("steps", json::array())) {
    const auto step_state = step["state"].get<std::string>();
    const auto part = step.value("part", std::string{});
    if (step.value("iteration", 1) != iteration) {
      iteration = step["iteration"].get<int>();
      output::print_line(output::painted("  iteration " + std::to_string(iteration), output::Colour::grey));
    }
    std::string line = "  " + (part.empty() ? "" : part + " ") + step["name"].get<std::string>() + "  " + output::painted(step_state, output::colour_of_state(step_state)) + "  " + duration_text(step);
    if (step.value("attempts", 1) > 1) line += "  " + std::to_string(step["attempts"].get<int>()) + " attempts";
    // Where a step failed its error says how it ended; a command that succeeded ended with 0, so the rest are statuses of HTTP.
    if (step_state == "succeeded" && step.value("exit_code", 0) != 0) line += "  status " + std::to_string(step["exit_code"].get<int>());
    if (step.contains("usage")) line += "  " + usage_text(step["usage"]);
    output::print_line(line);
    if (step.contains("error")) output::print_line("      " + output::printable(step["error"].get<std::string>()));
    print_output(step, "output", "output_file");
    print_output(step, "error_output", "error_file");
  }
}

}  // namespace hark
