#include "handlers/steps/wait.h"

#include <map>
#include <string>
#include <utility>

#include "core/filter.h"
#include "core/template.h"

namespace hark {

Result<Wait> render_wait(const WaitStepOptions& options, Scope& scope) {
  std::map<std::string, nlohmann::json, std::less<>> quoted;
  Status wrong;
  Wait wait;
  wait.types = options.types;
  wait.topic = options.topic;
  wait.where = options.where.render([&](std::string_view name) -> const nlohmann::json* {
    const auto* value = scope.value(name);
    if (scope.is_placeholder(name, value)) return value;
    if (value != nullptr && value->is_structured()) wrong = Error{"`where` compares with one value, and {" + std::string(name) + "} holds several", "name one of them: {" + std::string(name) + ".0}"};
    return &quoted.insert_or_assign(std::string(name), quote_filter_value(template_text(value))).first->second;
  });
  if (auto trouble = scope.take_trouble()) return *trouble;
  if (!wrong) return wrong.error();
  return wait;
}

void render(const WaitStepOptions& options, Scope& scope, RenderedStep& shown) {
  shown.kind = "wait";
  const auto wait = render_wait(options, scope);
  if (wait) {
    shown.text = told(*wait);
  } else {
    shown.error = wait.error().text();
  }
}

}  // namespace hark
