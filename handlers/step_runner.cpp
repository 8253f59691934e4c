#include "handlers/step_runner.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <utility>

#include "core/limits.h"
#include "core/payload.h"
#include "core/printable.h"
#include "handlers/retry.h"
#include "handlers/steps/attempt.h"
#include "handlers/steps/command.h"
#include "handlers/steps/file.h"
#include "handlers/steps/forge.h"
#include "handlers/steps/git.h"
#include "handlers/steps/http.h"
#include "handlers/steps/prompt.h"
#include "handlers/steps/publish.h"
#include "handlers/steps/run.h"
#include "handlers/steps/set.h"
#include "handlers/steps/slack.h"
#include "handlers/steps/wait.h"
#include "platform/clock.h"

namespace hark {
namespace {

// false: stopped before the time was over.
bool wait(Duration pause, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, pause, [] { return false; });
  return !stop.stop_requested();
}

struct AttemptStep {
  const StepCall& call;
  StepResult operator()(const GroupStepOptions&) const { return {}; }  // whose steps have attempts of their own
  StepResult operator()(const WaitStepOptions&) const { return {}; }   // of which there are no attempts
  StepResult operator()(const auto& options) const { return attempt(options, call); }
};

StepResult attempt_step(const StepCall& call) { return std::visit(AttemptStep{call}, call.step.kind); }

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

// Attempts that failed are paid for, too. What one of them cost is not known where nobody said a price: then of none.
std::optional<Usage> sum(const std::optional<Usage>& a, const std::optional<Usage>& b) {
  if (!a || !b) return a ? a : b;
  Usage both{a->input_tokens + b->input_tokens, a->output_tokens + b->output_tokens, {}, a->cache_read_tokens + b->cache_read_tokens, a->cache_write_tokens + b->cache_write_tokens};
  if (a->cost && b->cost) both.cost = *a->cost + *b->cost;
  return both;
}

void add_before(std::string& error, std::string what) {
  error = error.empty() ? std::move(what) : std::move(what) + "; " + error;
}

bool any_always(const std::vector<StepOptions>& steps, std::size_t from) {
  return std::any_of(steps.begin() + static_cast<std::ptrdiff_t>(from), steps.end(), [](const StepOptions& step) { return step.always; });
}

}  // namespace

StepRunner::StepRunner(const Handler& handler, const RunContext& context, const PipelineTools& tools)
    : handler_(handler),
      context_(context),
      tools_(tools),
      run_(context.run),
      carried_(std::exchange(run_.steps, {})),
      scope_(context, run_.steps, tools.output_folder, &tools),
      folder_(handler.working_directory),
      begun_(!carried_.empty()) {
  scope_.set_workspace(folder_, containment_in(handler, folder_));
  scope_.set_origin(handler.workspace.repository);
  const Now now = tools_.clock.now();
  if (!run_.started) run_.started = now.wall;
  if (handler_.timeout) {
    deadline_ = now.steady + *handler_.timeout;
    deadline_text_ = "the handler's timeout of " + to_string(*handler_.timeout) + " ran out";
  }
  if (const auto& time = handler_.budget.time; time && (!deadline_ || now.steady + *time < *deadline_)) {
    deadline_ = now.steady + *time;
    deadline_text_ = "the budget of " + to_string(*time) + " is spent";
  }
  run_.state = RunState::running;
  run_.error.clear();
  run_.exit_code.reset();
  run_.failed_step.reset();
}

void StepRunner::end(RunState state, std::string why) {
  if (!going_on()) return;
  run_.state = state;
  run_.error = std::move(why);
}

void StepRunner::set_folder(std::string folder) {
  folder_ = std::move(folder);
  scope_.set_workspace(folder_, containment_in(handler_, folder_));
}

void StepRunner::begin_iteration(int number, std::string feedback) {
  iteration_ = number;
  scope_.begin_iteration(number, std::move(feedback));
  run_.steps.reserve(run_.steps.size() + handler_.steps.size() + handler_.gates.size());
}

Duration StepRunner::since(SteadyTime began) const { return tools_.clock.now().steady - began; }

void StepRunner::tell(lifecycle::Any event) const {
  if (context_.tell) context_.tell(std::move(event));
}

void StepRunner::perform(const std::vector<StepOptions>& steps, StepPart part) {
  const bool nothing_follows = part == StepPart::delivery || (handler_.gates.empty() && handler_.delivery.empty() && handler_.iterations.most == 1);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps[i];
    if (going_on() && take_if_next(step.name, part)) {
      note(step, run_.steps.back());
      judge(run_.steps.back());  // of a wait it may be that the time was over
    } else {
      const bool spite = !may_go_on(step);
      if (spite && (!step.always || context_.leave.stop_requested())) continue;
      const bool last = nothing_follows && i + 1 == steps.size();
      const auto index = perform(step, part, spite ? afterwards(step) : Bounds{deadline_, context_.stop}, last);
      if (!index) return;
      judge(run_.steps[*index]);
    }
    if (!going_on() && !any_always(steps, i + 1)) break;
  }
}

std::vector<std::size_t> StepRunner::check(const std::vector<StepOptions>& gates) {
  std::vector<std::size_t> refused;
  for (const auto& gate : gates) {
    Row index = run_.steps.size();
    if (take_if_next(gate.name, StepPart::gate)) {
      judge(run_.steps.back());
      if (!going_on()) break;
    } else {
      if (!may_go_on(gate)) break;
      index = perform(gate, StepPart::gate, {deadline_, context_.stop}, false);
      if (!index) break;
      const auto& result = run_.steps[*index];
      judge(result);
      if (!going_on()) break;
      tell(lifecycle::GateChecked{lifecycle::of(run_), iteration_, gate.name, goes_on(result.state), goes_on(result.state) ? std::string() : result.error, result.duration});
    }
    if (!goes_on(run_.steps[*index].state)) refused.push_back(*index);
  }
  return refused;
}

// What runs in spite of everything has a time of its own, and ends with hark alone.
StepRunner::Bounds StepRunner::afterwards(const StepOptions& step) const {
  return {tools_.clock.now().steady + step.timeout.value_or(limits::kAlwaysTime), context_.leave};
}

StepRunner::Bounds StepRunner::within(const Bounds& outer, const StepOptions& step) const {
  if (!step.timeout) return outer;
  return {std::min(tools_.clock.now().steady + *step.timeout, outer.until.value_or(SteadyTime::max())), outer.stop};
}

bool StepRunner::out_of_time() const { return deadline_ && tools_.clock.now().steady >= *deadline_; }

bool StepRunner::may_go_on(const StepOptions& step) {
  if (context_.stop.stop_requested()) {
    end(RunState::cancelled, "cancelled before step '" + step.name + "'");
  } else if (out_of_time()) {
    end(RunState::timed_out, deadline_text_ + " before step '" + step.name + "'");
  } else if (const auto most = handler_.budget.tokens; most) {
    const auto used = tokens_used(run_);
    if (used >= *most) end(RunState::failed, "the budget of " + counted(*most, "token") + " is spent (" + std::to_string(used) + " used) before step '" + step.name + "'");
  }
  return going_on();
}

// The step as an earlier attempt did it. What that did is good as long as it did just what this one comes to; from the first difference on
// (the configuration has changed) everything is done anew.
bool StepRunner::take_if_next(const std::string& name, StepPart part) {
  if (!replaying()) return false;
  auto& next = carried_[next_carried_];
  if (next.name != name || next.part != part || next.iteration != iteration_) return false;
  ++next_carried_;
  run_.steps.push_back(std::move(next));
  if (run_.steps.back().state == StepState::succeeded) run_.exit_code = run_.steps.back().exit_code;
  return true;
}

void StepRunner::announce(const std::string& name) {
  if (std::exchange(begun_, true)) tell(lifecycle::PhaseStarted{lifecycle::of(run_), name});
}

// What a step leaves beside its row.
void StepRunner::note(const StepOptions& step, const StepResult& result) {
  if (!std::holds_alternative<SetStepOptions>(step.kind) || result.state != StepState::succeeded) return;
  if (const auto values = parse_json(result.output, "the output of step '" + result.name + "'"); values && values->is_object()) scope_.set_variables(*values);
}

// The row of a step made of steps, which an earlier attempt may have left behind theirs.
std::size_t StepRunner::close(StepResult result, const std::string& name, StepPart part, Now began, bool last) {
  if (take_if_next(name, part)) return run_.steps.size() - 1;
  return record(std::move(result), name, part, began, last);
}

std::size_t StepRunner::record(StepResult result, const std::string& name, StepPart part, Now began, bool last) {
  next_carried_ = carried_.size();
  result.name = name;
  result.part = part;
  result.iteration = iteration_;
  result.started = began.wall;
  result.duration = since(began.steady);
  result.error = kept_error(std::move(result.error), tools_);
  const bool ends = !goes_on(result.state) && part != StepPart::gate && scope_.frame().prefix.empty() && !any_always(handler_.steps, 0);
  run_.steps.push_back(std::move(result));
  if (context_.step_finished) context_.step_finished(run_.steps.size() - 1, run_.steps.back(), last || ends);
  return run_.steps.size() - 1;
}

StepRunner::Row StepRunner::perform(const StepOptions& step, StepPart part, const Bounds& bounds, bool last) {
  const auto name = scope_.frame().prefix + step.name;
  return step.foreach ? perform_each(step, name, part, bounds, last) : perform_once(step, name, part, bounds, last);
}

StepRunner::Row StepRunner::perform_once(const StepOptions& step, const std::string& name, StepPart part, const Bounds& bounds, bool last) {
  if (take_if_next(name, part)) {
    note(step, run_.steps.back());
    return run_.steps.size() - 1;
  }
  const auto* group = std::get_if<GroupStepOptions>(&step.kind);
  if (group == nullptr) next_carried_ = carried_.size();
  scope_.begin_step();
  announce(name);
  const auto* wait = std::get_if<WaitStepOptions>(&step.kind);
  if (wait != nullptr && !skip_reason(step, scope_)) return suspend(*wait, step, name, part, last);
  const Now began = tools_.clock.now();
  auto result = group != nullptr ? act_group(*group, step, name, part, bounds) : act(step, name, bounds, scope_);
  if (waits()) return std::nullopt;
  const auto index = close(std::move(result), name, part, began, last);
  note(step, run_.steps[index]);
  return index;
}

// The run ends here for now, without a row: that is written when the event is there, and the run walked again up to it.
StepRunner::Row StepRunner::suspend(const WaitStepOptions& options, const StepOptions& step, const std::string& name, StepPart part, bool last) {
  const Now now = tools_.clock.now();
  auto wait = render_wait(options, scope_);
  // It is kept and shown as it is, for what comes is compared with it.
  if (wait && mask_of(tools_).text(wait->where) != wait->where) wait = Error{"`where` holds a secret with its values put in, and would stand in the journal", "compare something else"};
  if (!wait) {
    auto failed = failed_for_good(wait.error());
    tolerate(step, failed);
    return record(std::move(failed), name, part, now, last);
  }
  wait->index = run_.steps.size();
  wait->step = name;
  wait->part = part;
  wait->iteration = iteration_;
  wait->since = now.wall;
  if (step.timeout) wait->until = now.wall + std::chrono::duration_cast<std::chrono::microseconds>(*step.timeout);
  wait->tolerated = step.continue_on_error;
  run_.wait = std::move(*wait);
  run_.state = RunState::waiting;
  return std::nullopt;
}

// Why `if` leaves the step out; nullopt: it does not.
std::optional<std::string> StepRunner::skip_reason(const StepOptions& step, Scope& scope) const {
  if (step.condition.empty()) return std::nullopt;
  const auto verdict = step.condition.evaluate([&](std::string_view field) { return scope.field(field); });
  if (verdict.matches) return std::nullopt;
  return "if: " + verdict.why;
}

StepResult StepRunner::act(const StepOptions& step, const std::string& name, const Bounds& bounds, Scope& scope) const {
  StepResult result;
  if (auto skipped = skip_reason(step, scope)) {
    result.state = StepState::skipped;
    result.attempts = 0;
    result.error = std::move(*skipped);
    return result;
  }
  try {
    result = attempt_until_done(step, name, bounds, scope);
  } catch (const std::exception& failure) {  // out of memory, say: this run's failure, not the daemon's
    result.state = StepState::failed;
    result.error = failure.what();
  }
  tolerate(step, result);
  return result;
}

// Not what ends the whole run: its own time is over, or somebody wants it to end.
void StepRunner::tolerate(const StepOptions& step, StepResult& result) const {
  const bool its_own = result.state == StepState::failed || (result.state == StepState::timed_out && !out_of_time());
  if (step.continue_on_error && its_own) result.state = StepState::tolerated;
}

StepResult StepRunner::attempt_until_done(const StepOptions& step, const std::string& name, const Bounds& bounds, Scope& scope) const {
  const auto& [until, stop] = bounds;
  std::optional<Usage> used;
  for (int number = 1;; ++number) {
    const SteadyTime began = tools_.clock.now().steady;
    std::optional<SteadyTime> deadline = until;
    if (step.timeout) deadline = std::min(began + *step.timeout, until.value_or(SteadyTime::max()));
    StepResult result = attempt_step({handler_, step, name, context_, tools_, scope, iteration_, folder_, stop, deadline});
    result.attempts = number;
    result.usage = used = sum(used, result.usage);
    const bool late = result.state == StepState::timed_out;
    const bool whole_time = late && deadline == until;
    if (late) {
      const auto outer = until == deadline_ ? deadline_text_ : "the time that it had ran out";
      add_before(result.error, whole_time ? outer : "timed out after " + to_string(*step.timeout));
    }
    if (whole_time || !try_again(step.retry, result, number)) return result;

    const Duration pause = pause_before_retry(step.retry, result, run_.id, number);
    if (until && tools_.clock.now().steady + pause >= *until) {
      result.error += "; no time left for attempt " + std::to_string(number + 1);
      return result;
    }
    if (!wait(pause, stop)) {
      result.state = StepState::cancelled;
      result.error = "waiting for attempt " + std::to_string(number + 1) + " after: " + result.error;
      return result;
    }
  }
}

// What the result means for the run. Where there is one step only it needs no name.
void StepRunner::judge(const StepResult& result) {
  if (!going_on() || goes_on(result.state)) {
    if (going_on() && result.state == StepState::succeeded) run_.exit_code = result.exit_code;
    return;
  }
  const bool gate = result.part == StepPart::gate;
  const bool ends_all = result.state == StepState::cancelled || (result.state == StepState::timed_out && out_of_time());
  if (gate && !ends_all) return;
  const bool only = handler_.steps.size() + handler_.gates.size() + handler_.delivery.size() == 1;
  const std::string which = only ? "" : (gate ? "gate '" : "step '") + result.name + "'";
  const auto told = [&](const std::string& what) {
    const auto text = which.empty() || what.empty() ? which + what : which + " " + what;
    if (result.error.empty()) return text;
    return text.empty() ? result.error : text + ": " + result.error;
  };
  run_.failed_step = run_.steps.size() - 1;
  run_.exit_code = result.exit_code;
  if (result.state == StepState::failed) {
    const auto last_words = last_line(result);
    end(RunState::failed, told(only ? "" : "failed") + (last_words.empty() ? "" : ": " + last_words));
  } else if (result.state == StepState::timed_out) {
    end(RunState::timed_out, told(""));
  } else {
    end(RunState::cancelled, only ? told("cancelled") : "cancelled during " + told(""));
  }
}

}  // namespace hark
