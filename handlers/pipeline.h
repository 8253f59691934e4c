// The pipeline: what a run does, straight down on one worker thread.
//
// An iteration is the steps, then the gates. A step waits for the one before it; one that fails for good fails the run at once, unless it
// is tolerated (`continue_on_error`); one whose `if` does not hold is skipped. All gates are asked, whatever the others say: what those that
// did not pass have said is the {feedback} of the next iteration. After the gates have passed comes the delivery, once.
// A step's time is the shorter of its own timeout (each attempt anew) and what is left of the handler's.
//
// Steps with `always` run also after the run has failed, ran out of its time or was cancelled, those of the same list; then each has its
// own timeout, or limits::kAlwaysTime.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/lifecycle.h"
#include "core/run.h"
#include "handlers/handler.h"

namespace hark {

class Clock;
class HttpClient;
class ProcessSpawner;
class Secrets;

// What a pipeline reaches the world through. Outlives every run.
struct PipelineTools {
  ProcessSpawner& processes;
  HttpClient& http;
  const Clock& clock;
  std::filesystem::path
      output_folder;  // large outputs go to <folder>/<run id>/<step>.out; {payload_file}, {files_file} beside them
  std::filesystem::path workspaces{};  // handlers/workspace.h
  const Secrets* secrets = nullptr;    // what no output and no error may show; nullptr: nothing
  bool traced = false;                 // spans of what is done here are recorded: whoever is called is told of the step's
};

struct RunContext {
  Run run;  // as started: id, attempt, correlation id; its steps are those that an earlier attempt has done: they are not done again, as
            // far as the handler still has them in that order
  EventPtr event;
  std::optional<WallTime> last_run;  // start of this handler's last success
  std::stop_token stop;              // asked to end: a cancel, or a drain that ran out of patience
  std::stop_token leave;             // the latter: the run goes on at the next start, so that nothing is cleaned up now
  // Called on the worker thread. `last`: as far as can be known the end of the run follows at once.
  std::function<void(std::size_t index, const StepResult&, bool last)> step_finished;
  std::function<void(lifecycle::Any)> tell;  // the same, and by steps that run in parallel on threads of theirs; not the beginning of a run's first iteration and first step, which go without saying
  std::function<std::optional<std::string>(const std::string& name)>
      environment;  // what {env.NAME} sees; empty: this process's own
};

// Runs the steps in order until one fails; returns the run with its final state, exit code, error and steps. The error of a run
// that failed ends with the last line of its step's standard error. Never throws.
Run run_pipeline(const Handler& handler, const RunContext& context, const PipelineTools& tools);

// What would be run, for --dry-run: nothing is started, no file written. What is not known before the run (outputs of earlier
// steps) or is not for eyes (the environment, which holds secrets) is shown as its template.
struct RenderedStep {
  std::string name;
  StepPart part = StepPart::step;
  std::string kind;                                         // "run" | "http"
  std::string text;                                         // the script or argv, or "POST url" with headers and body
  std::vector<std::pair<std::string, std::string>> values;  // variables the script refers to
  std::string condition;  // an `if` that looks at earlier steps: whether it holds is not known yet
  std::string foreach;    // the list that it is done for, once an element; empty: it is done once
  std::string skipped;    // why `if` leaves it out; empty: it runs, or it depends on an earlier step
  std::string error;      // why it cannot be rendered: the step would fail
  std::optional<Duration> timeout;
  Retry retry;
};
std::vector<RenderedStep> render_pipeline(const Handler& handler, const RunContext& context);

}  // namespace hark
