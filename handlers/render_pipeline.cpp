// The dry run: what a pipeline would do.
#include <algorithm>

#include "handlers/pipeline.h"
#include "handlers/scope.h"
#include "handlers/steps/file.h"
#include "handlers/steps/http.h"
#include "handlers/steps/prompt.h"
#include "handlers/steps/run.h"

namespace hark {
namespace {

bool looks_at_steps(const Filter& filter) {
  const auto fields = filter.fields();
  return std::any_of(fields.begin(), fields.end(), [](const std::string& field) { return field.starts_with("steps."); });
}

RenderedStep render_step(const StepOptions& step, StepPart part, Scope& scope) {
  RenderedStep shown;
  shown.name = step.name;
  shown.part = part;
  shown.timeout = step.timeout;
  shown.retry = step.retry;
  if (looks_at_steps(step.condition)) {
    shown.condition = step.condition.text();
  } else if (!step.condition.empty()) {
    const auto verdict = step.condition.evaluate([&](std::string_view field) { return scope.field(field); });
    if (!verdict.matches) shown.skipped = "if: " + verdict.why;
  }
  std::visit([&](const auto& options) { render(options, scope, shown); }, step.kind);
  return shown;
}

}  // namespace

std::vector<RenderedStep> render_pipeline(const Handler& handler, const RunContext& context) {
  const std::vector<StepResult> none;
  Scope scope(context, none, {}, true);
  std::vector<RenderedStep> rendered;
  const auto render_all = [&](const std::vector<StepOptions>& steps, StepPart part) {
    for (const auto& step : steps) rendered.push_back(render_step(step, part, scope));
  };
  render_all(handler.steps, StepPart::step);
  render_all(handler.gates, StepPart::gate);
  render_all(handler.delivery, StepPart::delivery);
  return rendered;
}

}  // namespace hark
