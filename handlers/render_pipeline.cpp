// The dry run: what a pipeline would do.
#include <algorithm>
#include <array>

#include "handlers/names.h"
#include "handlers/pipeline.h"
#include "handlers/scope.h"
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

namespace hark {
namespace {

// At what is known only when the run has come there.
bool looks_at_what_comes(const Filter& filter) {
  constexpr auto kLater = std::to_array<std::string_view>({"steps", "item", "index", "vars", "params", "env"});
  const auto fields = filter.fields();
  return std::any_of(fields.begin(), fields.end(), [&](const std::string& field) { return std::find(kLater.begin(), kLater.end(), split_name(field).first) != kLater.end(); });
}

RenderedStep render_step(const StepOptions& step, StepPart part, Scope& scope) {
  RenderedStep shown;
  shown.name = step.name;
  shown.part = part;
  shown.timeout = step.timeout;
  shown.retry = step.retry;
  if (looks_at_what_comes(step.condition)) {
    shown.condition = step.condition.text();
  } else if (!step.condition.empty()) {
    const auto verdict = step.condition.evaluate([&](std::string_view field) { return scope.field(field); });
    if (!verdict.matches) shown.skipped = "if: " + verdict.why;
  }
  if (step.foreach) shown.foreach = step.foreach->items.empty() ? step.foreach->list.text() : std::to_string(step.foreach->items.size()) + " elements";
  return shown;
}

struct RenderKind {
  Scope& scope;
  RenderedStep& shown;
  void operator()(const GroupStepOptions& group) const {
    shown.kind = group.kind == GroupStepOptions::Kind::recipe ? "recipe" : "parallel";
    shown.text = group.recipe;
  }
  void operator()(const auto& options) const { render(options, scope, shown); }
};

void render_all(const std::vector<StepOptions>& steps, const std::string& prefix, StepPart part, Scope& scope, std::vector<RenderedStep>& rendered) {
  for (const auto& step : steps) {
    auto shown = render_step(step, part, scope);
    shown.name = prefix + step.name;
    std::visit(RenderKind{scope, shown}, step.kind);
    rendered.push_back(std::move(shown));
    const auto* group = std::get_if<GroupStepOptions>(&step.kind);
    if (group == nullptr) continue;
    const bool recipe = group->kind == GroupStepOptions::Kind::recipe;
    render_all(group->steps, recipe ? prefix + step.name + "." : prefix, part, scope, rendered);
  }
}

}  // namespace

std::vector<RenderedStep> render_pipeline(const Handler& handler, const RunContext& context) {
  const std::vector<StepResult> none;
  Scope scope(context, none, {}, nullptr);
  scope.set_workspace(handler.working_directory, handler.containment);
  scope.set_origin(handler.workspace.repository);
  std::vector<RenderedStep> rendered;
  render_all(handler.steps, "", StepPart::step, scope, rendered);
  render_all(handler.gates, "", StepPart::gate, scope, rendered);
  render_all(handler.delivery, "", StepPart::delivery, scope, rendered);
  return rendered;
}

}  // namespace hark
