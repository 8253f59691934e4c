#include "handlers/pipeline.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "handlers/step_runner.h"
#include "handlers/steps/attempt.h"
#include "handlers/workspace.h"
#include "platform/clock.h"
#include "platform/confined_folder.h"

namespace hark {
namespace {

using Strategy = IterationOptions::Strategy;

// The end of what a step printed, from the file where that is not all in memory.
std::string tail(const std::string& head, std::uint64_t bytes, const std::string& file, std::size_t most) {
  std::string text = head;
  if (bytes > head.size() && !file.empty()) {
    std::ifstream whole(file, std::ios::binary | std::ios::ate);
    const auto size = static_cast<std::size_t>(std::max<std::streamoff>(whole.tellg(), 0));
    text.resize(std::min(size, most));
    whole.seekg(static_cast<std::streamoff>(size - text.size()));
    whole.read(text.data(), static_cast<std::streamsize>(text.size()));
  }
  if (text.size() > most) text.erase(0, text.size() - most);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return bytes > text.size() + 1 && bytes > most ? "[...]" + text : text;
}

// What a gate that did not pass has to say to the next iteration.
std::string feedback_of(const StepResult& gate) {
  std::string text = "gate '" + gate.name + "' did not pass" + (gate.error.empty() ? "" : ": " + gate.error) + "\n";
  for (const auto& printed : {tail(gate.output, gate.output_bytes, gate.output_file, limits::kFeedbackOfGate),
                              tail(gate.error_output, gate.error_bytes, gate.error_file, limits::kFeedbackOfGate)}) {
    if (!printed.empty()) text += printed + "\n";
  }
  return text;
}

Result<WorkspaceWish> workspace_wish(const WorkspaceOptions& options, Scope& scope) {
  const auto lookup = [&](std::string_view name) { return scope.value(name); };
  WorkspaceWish wish;
  wish.kind = options.kind;
  wish.repository = options.repository;
  wish.ref = options.ref.render(lookup);
  const auto path = options.path.render(lookup);
  if (auto trouble = scope.take_trouble()) return *trouble;
  // What an event says leads nowhere but below the folder of the configuration.
  if (!options.path.constant()) {
    if (const auto confined = check_confined_path(path); !confined) return confined.error();
  }
  wish.path = std::filesystem::path(options.base) / path;
  return wish;
}

class Pipeline {
 public:
  Pipeline(const Handler& handler, const RunContext& context, const PipelineTools& tools)
      : handler_(handler), context_(context), tools_(tools), steps_(handler, context, tools) {}

  Run run() {
    acquire();
    iterate();
    if (steps_.going_on() && !handler_.delivery.empty()) deliver();
    steps_.end(RunState::succeeded, {});
    if (steps_.waits()) return std::move(steps_.run());
    release();
    steps_.run().finished = tools_.clock.now().wall;
    steps_.run().error = mask_of(tools_).text(std::move(steps_.run().error));
    return std::move(steps_.run());
  }

 private:
  void acquire() {
    if (handler_.workspace.kind == WorkspaceOptions::Kind::none) return;
    const auto began = tools_.clock.now().steady;
    auto wish = workspace_wish(handler_.workspace, steps_.scope());
    if (!wish) return fail(wish.error());
    wish->workspaces = tools_.workspaces;
    wish->run_id = context_.run.id;
    auto made = Workspace::acquire(std::move(*wish), !context_.run.steps.empty(), tools_.processes, context_.leave);
    if (!made) return fail(made.error());
    workspace_.emplace(std::move(*made));
    steps_.set_folder(handler_.working_directory.empty() ? workspace_->folder() : workspace_->folder() + "/" + handler_.working_directory);
    steps_.tell(lifecycle::WorkspaceAcquired{of_run(), workspace_->folder(), steps_.since(began)});
  }

  // Where hark ends and the run does not, it finds its workspace again.
  void release() {
    if (!workspace_ || context_.leave.stop_requested()) return;
    using Keep = WorkspaceOptions::Keep;
    const bool failed = steps_.run().state != RunState::succeeded;
    const bool keep = handler_.workspace.keep == Keep::always || (failed && handler_.workspace.keep == Keep::on_failure);
    const auto began = tools_.clock.now().steady;
    auto& error = steps_.run().error;
    const auto add = [&](const std::string& what) { error += (error.empty() ? "" : "; ") + printable(what, limits::kStepError); };
    if (const auto done = workspace_->release(keep); !done) add("its workspace could not be given back: " + done.error().text());
    if (keep && failed) add("its workspace is kept: " + workspace_->folder());
    steps_.tell(lifecycle::WorkspaceReleased{of_run(), workspace_->folder(), keep || handler_.workspace.kind == WorkspaceOptions::Kind::path, steps_.since(began)});
  }

  void iterate() {
    const auto strategy = handler_.iterations.strategy;
    const int most = handler_.iterations.most;
    const bool from_start = strategy == Strategy::best_of || handler_.workspace.restore;  // not of the fixed strategy: the configuration refuses it
    if (from_start) snapshot("start");
    std::string feedback;
    for (int number = 1; steps_.going_on(); ++number) {
      iteration_ = number;
      const bool fresh = !steps_.replaying();
      const auto began = tools_.clock.now().steady;
      if (number > 1 && fresh) steps_.tell(lifecycle::IterationStarted{of_run(), number});
      const auto before = fresh ? state() : std::nullopt;
      steps_.begin_iteration(number, std::move(feedback));
      steps_.perform(handler_.steps, StepPart::step);
      const bool idle = before && before == state();
      auto refused = verify();
      if (steps_.waits()) return;
      const bool passed = steps_.going_on() && refused.empty();
      if (!steps_.replaying()) steps_.tell(lifecycle::IterationComplete{of_run(), number, passed, steps_.since(began)});
      if (!steps_.going_on()) break;
      const bool better = best_ == 0 || refused.size() < best_refused_.size();
      if (strategy != Strategy::best_of || better) {
        best_ = number;
        best_refused_ = refused;
        if (strategy == Strategy::best_of && number < most) snapshot("iteration-" + std::to_string(number));
      }
      const bool again = number < most && (!passed || strategy != Strategy::until_gates_pass) && !(idle && !passed);
      if (again && from_start) restore("start");
      if (!again) return settle(number, idle && !passed && number < most);
      decide("iterate", why(refused));
      for (const auto index : refused) feedback += feedback_of(steps_.run().steps[index]);
    }
    // Cut off or failed in its middle: what an iteration is undone for holds all the more.
    if (from_start && handler_.workspace.restore && !context_.leave.stop_requested()) restore("start");
  }

  // After the last iteration: what it comes to.
  void settle(int last, bool idle) {
    const auto reason = (best_ != last ? "iteration " + std::to_string(best_) + " was the best: " : "") + why(best_refused_) +
                        (idle ? "; iteration " + std::to_string(last) + " left the workspace as it was" : "");
    const bool passed = best_refused_.empty();
    if (best_ != last) restore("iteration-" + std::to_string(best_));
    if (handler_.iterations.most > 1 && steps_.going_on()) decide(passed ? "deliver" : "stop", reason);
    if (passed || !steps_.going_on()) return;
    auto& run = steps_.run();
    run.failed_step = best_refused_.back();
    run.exit_code = run.steps[best_refused_.back()].exit_code;
    const auto most = handler_.iterations.most;
    const auto iterations = most == 1 ? "" : last < most ? " (iteration " + std::to_string(last) + " of " + std::to_string(most) + ")" : " (in the last of " + counted(std::size_t(most), "iteration") + ")";
    if (handler_.workspace.restore) restore("start");
    steps_.end(RunState::failed, printable(reason + iterations, limits::kStepError));
  }

  void fail(const Error& error) { steps_.end(RunState::failed, printable(error.text(), limits::kStepError)); }

  // Of the workspace, where somebody wants to know whether it changes.
  std::optional<std::string> state() {
    if (!handler_.iterations.stop_on_no_progress || !workspace_ || !steps_.going_on()) return std::nullopt;
    auto state = workspace_->state();
    if (state) return std::move(*state);
    fail(state.error());
    return std::nullopt;
  }

  void snapshot(const std::string& name) {
    if (!workspace_ || !steps_.going_on()) return;
    const auto began = tools_.clock.now().steady;
    if (const auto kept = workspace_->keep_snapshot(name); !kept) return fail(kept.error());
    steps_.tell(lifecycle::SnapshotCreated{of_run(), name, steps_.since(began)});
  }

  void restore(const std::string& name) {
    if (!workspace_ || steps_.replaying()) return;
    const auto began = tools_.clock.now().steady;
    if (const auto done = workspace_->restore(name); !done) return fail(done.error());
    steps_.tell(lifecycle::SnapshotRestored{of_run(), name, steps_.since(began)});
  }

  // The gates that did not pass, as indices of the run's steps.
  std::vector<std::size_t> verify() {
    if (handler_.gates.empty() || !steps_.going_on()) return {};
    const auto count = handler_.gates.size();
    const auto began = tools_.clock.now().steady;
    if (!steps_.replaying()) steps_.tell(lifecycle::VerificationStarted{of_run(), iteration_, count});
    auto refused = steps_.check(handler_.gates);
    if (!steps_.replaying() && steps_.going_on()) {
      steps_.tell(lifecycle::VerificationComplete{of_run(), iteration_, count, count - refused.size(), steps_.since(began)});
    }
    return refused;
  }

  std::string why(const std::vector<std::size_t>& refused) {
    std::string text;
    for (const auto index : refused) {
      const auto& gate = steps_.run().steps[index];
      text += (text.empty() ? "gate '" : "; gate '") + gate.name + "' did not pass" + (gate.error.empty() ? "" : ": " + gate.error);
    }
    return text.empty() ? (handler_.gates.empty() ? "no gates" : "every gate passed") : text;
  }

  void decide(std::string_view decision, std::string reason) {
    if (!steps_.replaying()) steps_.tell(lifecycle::StrategyDecision{of_run(), iteration_, decision, std::move(reason)});
  }

  void deliver() {
    const auto began = tools_.clock.now().steady;
    steps_.tell(lifecycle::DeliveryStarted{of_run(), best_});
    steps_.perform(handler_.delivery, StepPart::delivery);
    if (steps_.waits()) return;
    steps_.tell(lifecycle::DeliveryComplete{of_run(), steps_.going_on(), steps_.since(began)});
  }

  lifecycle::OfRun of_run() { return lifecycle::of(steps_.run()); }

  const Handler& handler_;
  const RunContext& context_;
  const PipelineTools& tools_;
  StepRunner steps_;
  std::optional<Workspace> workspace_;
  int iteration_ = 1;
  int best_ = 0;                           // the iteration that counts, and which gates refused it
  std::vector<std::size_t> best_refused_;
};

}  // namespace

Run run_pipeline(const Handler& handler, const RunContext& context, const PipelineTools& tools) {
  return Pipeline(handler, context, tools).run();
}

}  // namespace hark
