#include "handlers/steps/json_document.h"

#include <string>

namespace hark {

bool is_one_template(const Template& text) {
  const auto names = text.names();
  return names.size() == 1 && text.text() == "{" + names.front() + "}";
}

// Deep only as far as the configuration was.
nlohmann::json render_json(const nlohmann::json& document, const Template::Lookup& lookup) {
  if (document.is_string()) {
    const Template text = Template::parse(document.get_ref<const std::string&>());
    if (!is_one_template(text)) return text.render(lookup);
    const auto* value = lookup(text.names().front());
    return value != nullptr ? *value : nlohmann::json();
  }
  if (!document.is_structured()) return document;
  nlohmann::json rendered = document;
  for (auto& item : rendered) item = render_json(item, lookup);
  return rendered;
}

nlohmann::json render_json(const nlohmann::json& document, Scope& scope) {
  return render_json(document, [&](std::string_view name) { return scope.value(name); });
}

}  // namespace hark
