// The pipeline: what a run does, straight down on one worker thread.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>

#include "core/event.h"
#include "core/run.h"
#include "handlers/handler.h"

namespace hark {

class Clock;
class HttpClient;
class ProcessSpawner;

// What a pipeline reaches the world through. Outlives every run.
struct PipelineTools {
  ProcessSpawner& processes;
  HttpClient& http;
  const Clock& clock;
  std::filesystem::path output_folder;  // large outputs go to <folder>/<run id>/<step>.out
};

struct RunContext {
  Run run;                                 // as started: id, attempt, correlation id
  EventPtr event;
  std::optional<WallTime> last_run;        // start of this handler's last success
  std::stop_token stop;                    // asked to end: a cancel, or a drain that ran out of patience
  std::function<void(std::size_t index, const StepResult&)> step_finished;  // called on the worker thread
};

// Runs the steps in order until one fails; returns the run with its final state, exit code, error and steps.
Run run_pipeline(const Handler& handler, const RunContext& context, const PipelineTools& tools);

// What would be run, for --dry-run: nothing is started. Outputs of earlier steps are shown as their template.
struct RenderedStep {
  std::string name;
  std::string kind;   // "run" | "http"
  std::string text;   // the script or argv, or "POST url" with body
  std::vector<std::pair<std::string, std::string>> values;   // variables the script refers to
  std::string skipped;  // why `if` leaves it out; empty: it runs, or it depends on an earlier step
};
std::vector<RenderedStep> render_pipeline(const Handler& handler, const RunContext& context);

// Names a template of a handler may use: an Error for one that is unknown, with the nearest known one. `steps` are those before it.
Status check_name(std::string_view name, const std::vector<std::string>& earlier_steps);

}  // namespace hark
