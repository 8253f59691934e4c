#include "handlers/pipeline.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "handlers/retry.h"
#include "handlers/scope.h"
#include "handlers/steps/attempt.h"
#include "handlers/steps/file.h"
#include "handlers/steps/http.h"
#include "handlers/steps/run.h"
#include "platform/clock.h"

namespace hark {
namespace {

// false: stopped before the time was over.
bool wait(Duration pause, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, pause, [] { return false; });
  return !stop.stop_requested();
}

StepResult attempt_step(const StepCall& call) {
  return std::visit([&](const auto& options) { return attempt(options, call); }, call.step.kind);
}

// The last line that says something: what programs write before they give up. Where there was more than is held, the last one is
// not known.
std::string last_line(const StepResult& result) {
  constexpr std::string_view kBlank = " \t\r\n";
  if (result.error_bytes > result.error_output.size()) return {};
  std::string_view text = result.error_output;
  text = text.substr(0, text.find_last_not_of(kBlank) + 1);
  text.remove_prefix(text.find_last_of("\r\n") + 1);
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  return printable(text, limits::kStepError);
}

class Pipeline {
 public:
  Pipeline(const Handler& handler, const RunContext& context, const PipelineTools& tools)
      : handler_(handler),
        context_(context),
        tools_(tools),
        run_(context.run),
        scope_(context, run_.steps, tools.output_folder, false) {
    const Now now = tools_.clock.now();
    if (!run_.started) run_.started = now.wall;
    if (handler_.timeout) deadline_ = now.steady + *handler_.timeout;
    run_.state = RunState::running;
    run_.error.clear();
    run_.exit_code.reset();
    run_.steps.reserve(handler_.steps.size());
  }

  Run run() {
    for (auto next = run_.steps.size(); next < handler_.steps.size(); ++next) {  // behind those that an earlier attempt did
      const auto& step = handler_.steps[next];
      if (!may_go_on(step)) break;
      record(skip_reason(step), step);
      if (run_.state != RunState::running) break;
    }
    if (run_.state == RunState::running) run_.state = RunState::succeeded;
    run_.finished = tools_.clock.now().wall;
    return std::move(run_);
  }

 private:
  bool may_go_on(const StepOptions& step) {
    if (context_.stop.stop_requested()) {
      end(RunState::cancelled, "cancelled before step '" + step.name + "'");
    } else if (deadline_ && tools_.clock.now().steady >= *deadline_) {
      end(RunState::timed_out, handler_timeout() + " before step '" + step.name + "'");
    }
    return run_.state == RunState::running;
  }

  // Why `if` leaves the step out; nullopt: it does not.
  std::optional<std::string> skip_reason(const StepOptions& step) {
    if (step.condition.empty()) return std::nullopt;
    const auto verdict = step.condition.evaluate([&](std::string_view field) { return scope_.field(field); });
    if (verdict.matches) return std::nullopt;
    return "if: " + verdict.why;
  }

  void record(std::optional<std::string> skipped, const StepOptions& step) {
    const Now began = tools_.clock.now();
    StepResult result;
    if (skipped) {
      result.state = StepState::skipped;
      result.attempts = 0;
      result.error = std::move(*skipped);
    } else {
      try {
        result = attempt_until_done(step);
      } catch (const std::exception& failure) {  // out of memory, say: this run's failure, not the daemon's
        result.state = StepState::failed;
        result.error = failure.what();
      }
      result.duration = tools_.clock.now().steady - began.steady;
      tolerate(step, result);
    }
    result.name = step.name;
    result.started = began.wall;
    result.error = printable(result.error, limits::kStepError);
    judge(result);
    run_.steps.push_back(std::move(result));
    if (context_.step_finished) context_.step_finished(run_.steps.size() - 1, run_.steps.back());
  }

  // Not what ends the whole run: its own time is over, or somebody wants it to end.
  void tolerate(const StepOptions& step, StepResult& result) const {
    const bool out_of_time = deadline_ && tools_.clock.now().steady >= *deadline_;
    const bool its_own = result.state == StepState::failed || (result.state == StepState::timed_out && !out_of_time);
    if (step.continue_on_error && its_own) result.state = StepState::tolerated;
  }

  StepResult attempt_until_done(const StepOptions& step) {
    for (int number = 1;; ++number) {
      const SteadyTime began = tools_.clock.now().steady;
      std::optional<SteadyTime> deadline = deadline_;
      if (step.timeout) deadline = std::min(began + *step.timeout, deadline_.value_or(SteadyTime::max()));
      StepResult result = attempt_step({handler_, step, context_, tools_, scope_, deadline});
      result.attempts = number;
      const bool late = result.state == StepState::timed_out;
      if (late)
        add_before(result.error, deadline == deadline_ ? handler_timeout() : "timed out after " + to_string(*step.timeout));
      const bool whole_time = late && deadline == deadline_;
      if (whole_time || !try_again(step.retry, step, result, number)) return result;

      const Duration pause = pause_before_retry(step.retry, result, run_.id, number);
      if (deadline_ && tools_.clock.now().steady + pause >= *deadline_) {
        result.error += "; no time left for attempt " + std::to_string(number + 1);
        return result;
      }
      if (!wait(pause, context_.stop)) {
        result.state = StepState::cancelled;
        result.error = "waiting for attempt " + std::to_string(number + 1) + " after: " + result.error;
        return result;
      }
    }
  }

  // Where there is one step only it needs no name.
  void judge(const StepResult& result) {
    const bool only = handler_.steps.size() == 1;
    const std::string which = only ? "" : "step '" + result.name + "'";
    const auto told = [&](const std::string& what) {
      const auto text = which.empty() || what.empty() ? which + what : which + " " + what;
      if (result.error.empty()) return text;
      return text.empty() ? result.error : text + ": " + result.error;
    };
    const std::string last_words = result.state == StepState::failed ? last_line(result) : "";
    switch (result.state) {
      case StepState::succeeded:
        run_.exit_code = result.exit_code;
        break;
      case StepState::skipped:
      case StepState::tolerated:
        break;
      case StepState::failed:
        end(RunState::failed, told(only ? "" : "failed") + (last_words.empty() ? "" : ": " + last_words));
        break;
      case StepState::timed_out:
        end(RunState::timed_out, told(""));
        break;
      case StepState::cancelled:
        end(RunState::cancelled, only ? told("cancelled") : "cancelled during " + told(""));
        break;
    }
    if (run_.state != RunState::running) run_.exit_code = result.exit_code;
  }

  void end(RunState state, std::string error) {
    run_.state = state;
    run_.error = std::move(error);
  }

  std::string handler_timeout() const { return "the handler's timeout of " + to_string(*handler_.timeout) + " ran out"; }
  static void add_before(std::string& text, const std::string& first) { text = text.empty() ? first : first + "; " + text; }

  const Handler& handler_;
  const RunContext& context_;
  const PipelineTools& tools_;
  Run run_;
  Scope scope_;
  std::optional<SteadyTime> deadline_;
};

bool looks_at_steps(const Filter& filter) {
  const auto fields = filter.fields();
  return std::any_of(fields.begin(), fields.end(), [](const std::string& field) { return field.starts_with("steps."); });
}

}  // namespace

Run run_pipeline(const Handler& handler, const RunContext& context, const PipelineTools& tools) {
  return Pipeline(handler, context, tools).run();
}

std::vector<RenderedStep> render_pipeline(const Handler& handler, const RunContext& context) {
  const std::vector<StepResult> none;
  Scope scope(context, none, {}, true);
  std::vector<RenderedStep> rendered;
  for (const auto& step : handler.steps) {
    RenderedStep shown;
    shown.name = step.name;
    shown.timeout = step.timeout;
    shown.retry = step.retry;
    if (looks_at_steps(step.condition)) {
      shown.condition = step.condition.text();
    } else if (!step.condition.empty()) {
      const auto verdict = step.condition.evaluate([&](std::string_view field) { return scope.field(field); });
      if (!verdict.matches) shown.skipped = "if: " + verdict.why;
    }
    std::visit([&](const auto& options) { render(options, scope, shown); }, step.kind);
    rendered.push_back(std::move(shown));
  }
  return rendered;
}

}  // namespace hark
