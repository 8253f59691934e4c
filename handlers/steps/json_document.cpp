#include "handlers/steps/json_document.h"

#include <string>

namespace hark {

bool is_one_template(const Template& text) {
  const auto names = text.names();
  return names.size() == 1 && text.text() == "{" + names.front() + "}";
}

// Deep only as far as the configuration was.
nlohmann::json render_json(const nlohmann::json& document, Scope& scope) {
  if (document.is_string()) {
    const Template text = Template::parse(document.get_ref<const std::string&>());
    if (!is_one_template(text)) return text.render([&](std::string_view name) { return scope.value(name); });
    const auto* value = scope.value(text.names().front());
    return value != nullptr ? *value : nlohmann::json();
  }
  if (!document.is_structured()) return document;
  nlohmann::json rendered = document;
  for (auto& item : rendered) item = render_json(item, scope);
  return rendered;
}

}  // namespace hark
