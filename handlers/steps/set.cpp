#include "handlers/steps/set.h"

#include <string>
#include <utility>

#include "core/limits.h"
#include "core/payload.h"

namespace hark {
namespace {

// A value that is one template stays what it is: a list, a number.
Result<nlohmann::json> render_values(const SetStepOptions& options, Scope& scope) {
  nlohmann::json values = nlohmann::json::object();
  for (const auto& [name, text] : options.values) {
    const auto names = text.names();
    const bool whole = names.size() == 1 && text.text() == "{" + names.front() + "}";
    const auto* value = whole ? scope.value(names.front()) : nullptr;
    values[name] = value != nullptr ? *value : nlohmann::json(text.render([&](std::string_view wanted) { return scope.value(wanted); }));
  }
  if (auto trouble = scope.take_trouble()) return *trouble;
  return values;
}

}  // namespace

void render(const SetStepOptions& options, Scope& scope, RenderedStep& shown) {
  shown.kind = "set";
  const auto values = render_values(options, scope);
  if (values) {
    shown.text = write_json(*values);
  } else {
    shown.error = values.error().text();
  }
}

StepResult attempt(const SetStepOptions& options, const StepCall& call) {
  const auto values = render_values(options, call.scope);
  if (!values) return failed_for_good(values.error());
  auto text = write_json(*values);
  // What is larger would have to be read from a file for every name.
  if (text.size() > limits::kOutputInMemory) {
    return failed_for_good({"the values are larger than " + std::to_string(limits::kOutputInMemory) + " bytes together", "hand them on as a file: {steps.NAME.output_file}"});
  }
  StepResult result;
  keep_output(std::move(text), call, result);
  return result;
}

}  // namespace hark
