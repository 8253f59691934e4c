// Steps made of steps: lists (`foreach`), recipes, and several at once (`parallel`).
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "core/limits.h"
#include "core/payload.h"
#include "core/printable.h"
#include "handlers/step_runner.h"
#include "handlers/steps/attempt.h"
#include "platform/clock.h"
#include "platform/thread.h"

namespace hark {
namespace {

using Json = nlohmann::json;

StepResult ended(StepState state, std::string error) {
  StepResult result;
  result.state = state;
  result.error = std::move(error);
  return result;
}

// What a step within has come to, as the one around it says it.
StepResult because_of(const StepResult& inner, const std::string& which) {
  auto result = ended(inner.state, which + (inner.state == StepState::failed ? " failed" : "") + (inner.error.empty() ? "" : ": " + inner.error));
  result.exit_code = inner.exit_code;
  result.is_status = inner.is_status;
  result.for_good = inner.for_good;
  result.retry_after = inner.retry_after;
  return result;
}

// A value that is one template stays what it is: a list, a number.
Json value_of(const Template& text, Scope& scope) {
  const auto names = text.names();
  const bool whole = names.size() == 1 && text.text() == "{" + names.front() + "}";
  const Json* value = whole ? scope.value(names.front()) : nullptr;
  return value != nullptr ? *value : Json(text.render([&](std::string_view name) { return scope.value(name); }));
}

Result<Json> list_of(const Foreach& foreach, Scope& scope) {
  Json list = Json::array();
  if (foreach.items.empty()) {
    list = value_of(foreach.list, scope);
  } else {
    for (const auto& item : foreach.items) list.push_back(value_of(item, scope));
  }
  if (auto trouble = scope.take_trouble()) return *trouble;
  if (!list.is_array()) return Error{"foreach: " + foreach.list.text() + " is no list", "name one, such as {files} or {steps.NAME.json.items}"};
  if (list.size() > limits::kForeach) return Error{"foreach: " + foreach.list.text() + " has " + std::to_string(list.size()) + " elements, more than " + std::to_string(limits::kForeach), ""};
  return list;
}

struct Threads {
  std::vector<std::thread> all;
  ~Threads() {
    for (auto& thread : all) thread.join();
  }
};

// One behind the other, each on lines of its own.
void add_output(const StepResult& inner, StepResult& result) {
  result.output_bytes += inner.output_bytes;
  if (result.output.size() >= limits::kOutputInMemory) return;
  result.output += inner.output;
  if (!inner.output.empty() && !inner.output.ends_with('\n')) result.output += '\n';
  if (result.output.size() > limits::kOutputInMemory) result.output.resize(limits::kOutputInMemory);
}

}  // namespace

StepRunner::Row StepRunner::perform_each(const StepOptions& step, const std::string& name, StepPart part, const Bounds& bounds, bool last) {
  if (take_if_next(name, part)) return run_.steps.size() - 1;
  const Now began = tools_.clock.now();
  const auto list = list_of(*step.foreach, scope_);
  if (!list) {
    auto failed = ended(StepState::failed, list.error().text());
    failed.for_good = true;
    tolerate(step, failed);
    return record(std::move(failed), name, part, began, last);
  }
  if (list->empty()) return record(ended(StepState::skipped, "foreach: the list is empty"), name, part, began, last);
  StepResult whole;
  const auto outer = scope_.frame();
  for (std::size_t i = 0; i < list->size() && goes_on(whole.state); ++i) {
    auto frame = scope_.frame();
    frame.item = (*list)[i];
    frame.index = i;
    scope_.enter(std::move(frame));
    const auto index = perform_once(step, name + "." + std::to_string(i), part, bounds, false);
    if (!index) return std::nullopt;
    const auto& inner = run_.steps[*index];
    if (goes_on(inner.state)) {
      add_output(inner, whole);
    } else {
      auto output = std::move(whole.output);
      whole = because_of(inner, "element " + std::to_string(i));
      whole.output = std::move(output);
    }
  }
  auto frame = outer;
  frame.variables = scope_.frame().variables;  // what the last one has set stays
  scope_.enter(std::move(frame));
  return close(std::move(whole), name, part, began, last);
}

StepResult StepRunner::act_group(const GroupStepOptions& group, const StepOptions& step, const std::string& name, StepPart part, const Bounds& bounds) {
  if (auto skipped = skip_reason(step, scope_)) {
    auto result = ended(StepState::skipped, std::move(*skipped));
    result.attempts = 0;
    return result;
  }
  const auto inner = within(bounds, step);
  auto result = group.kind == GroupStepOptions::Kind::recipe ? act_recipe(group, name, part, inner) : act_parallel(group, part, inner);
  tolerate(step, result);
  return result;
}

// One after the other, as the steps of a handler are. Its output is that of the last one that did something.
StepResult StepRunner::act_recipe(const GroupStepOptions& group, const std::string& name, StepPart part, const Bounds& bounds) {
  Scope::Frame frame;
  frame.prefix = name + ".";
  frame.parameters = Json::object();
  for (const auto& [parameter, value] : group.parameters) (*frame.parameters)[parameter] = value_of(value, scope_);
  if (auto trouble = scope_.take_trouble()) {
    auto failed = ended(StepState::failed, trouble->text());
    failed.for_good = true;
    return failed;
  }
  const auto outer = scope_.frame();
  scope_.enter(std::move(frame));
  StepResult whole;
  for (const auto& step : group.steps) {
    const bool spite = !goes_on(whole.state);
    if (spite && (!step.always || context_.leave.stop_requested())) continue;
    if (!spite && (bounds.stop.stop_requested() || (bounds.until && tools_.clock.now().steady >= *bounds.until))) {
      whole = ended(bounds.stop.stop_requested() ? StepState::cancelled : StepState::timed_out, "before step '" + step.name + "'");
      continue;
    }
    const auto index = perform(step, part, spite ? afterwards(step) : bounds, false);
    if (!index) break;
    const auto& inner = run_.steps[*index];
    if (!spite && !goes_on(inner.state)) {
      whole = because_of(inner, "step '" + step.name + "'");
    } else if (!spite && inner.state == StepState::succeeded) {
      whole.output = inner.output;
      whole.output_bytes = inner.output_bytes;
      whole.output_file = inner.output_file;
      whole.exit_code = inner.exit_code;
    }
  }
  scope_.enter(outer);
  return whole;
}

// All of them come to their end, whatever becomes of the others. Their rows stand in the order in which they ended, and join the run's when all
// have: until then every one of them reads those.
StepResult StepRunner::act_parallel(const GroupStepOptions& group, StepPart part, const Bounds& bounds) {
  const auto full = [&](const StepOptions& step) { return scope_.frame().prefix + step.name; };
  const auto first = run_.steps.size();
  std::vector<const StepOptions*> open;
  for (const auto& step : group.steps) open.push_back(&step);
  for (bool taken = true; taken;) {
    const auto next = std::find_if(open.begin(), open.end(), [&](const StepOptions* step) { return take_if_next(full(*step), part); });
    taken = next != open.end();
    if (taken) open.erase(next);
  }
  if (!open.empty()) next_carried_ = carried_.size();

  std::mutex mutex;
  std::condition_variable some;
  std::vector<std::pair<const StepOptions*, StepResult>> done;
  std::vector<Scope> scopes(open.size(), scope_);
  std::vector<StepResult> rows;
  {
    Threads threads;
    for (std::size_t i = 0; i < open.size(); ++i) {
      announce(full(*open[i]));
      const auto end = [&, i, began = tools_.clock.now()](StepResult result) {
        result.started = began.wall;
        result.duration = since(began.steady);
        std::lock_guard lock(mutex);
        done.emplace_back(open[i], std::move(result));
        some.notify_one();
      };
      try {
        threads.all.push_back(start_thread("hark-parallel", Scheduling::normal, [&, i, end] { end(act(*open[i], full(*open[i]), bounds, scopes[i])); }));
      } catch (const std::system_error& failure) {
        end(ended(StepState::failed, std::string("no thread to run it: ") + failure.what()));
      }
    }
    while (rows.size() < open.size()) {
      std::unique_lock lock(mutex);
      some.wait(lock, [&] { return !done.empty(); });
      auto [step, result] = std::move(done.front());
      done.erase(done.begin());
      lock.unlock();
      result.name = full(*step);
      result.part = part;
      result.iteration = iteration_;
      result.error = kept_error(std::move(result.error), tools_);
      rows.push_back(std::move(result));
      if (context_.step_finished) context_.step_finished(run_.steps.size() + rows.size() - 1, rows.back(), false);
    }
  }
  for (auto& row : rows) run_.steps.push_back(std::move(row));

  StepResult whole;
  for (auto index = first; index < run_.steps.size(); ++index) {
    const auto& row = run_.steps[index];
    const auto said = because_of(row, "step '" + row.name.substr(scope_.frame().prefix.size()) + "'");
    if (goes_on(row.state)) {
      continue;
    } else if (goes_on(whole.state)) {
      whole = said;
    } else {
      whole.error += "; " + said.error;
      if (whole.state != StepState::cancelled && row.state == StepState::cancelled) whole.state = row.state;
    }
  }
  return whole;
}

}  // namespace hark
