#include "core/event_template.h"

#include <vector>

#include <nlohmann/json.hpp>

#include "core/event_field.h"

namespace hark {

namespace {

struct Rendered {
  std::string text;
  std::size_t values = 0;  // that it refers to
  std::size_t missing = 0;
  std::size_t empty = 0;   // there, and of no text; the missing ones as well
};

Rendered render(const Template& text, const Event& event) {
  Rendered rendered;
  std::vector<nlohmann::json> scratch;  // values stay where they are until all are put in
  scratch.reserve(text.parts().size());
  rendered.text = text.render([&](std::string_view name) {
    const auto* value = event_field(event, name, scratch.emplace_back());
    ++rendered.values;
    if (value == nullptr) ++rendered.missing;
    if (template_text(value).empty()) ++rendered.empty;
    return value;
  });
  return rendered;
}

}  // namespace

std::optional<std::string> rendered_for(const Template& text, const Event& event) {
  auto rendered = render(text, event);
  return rendered.values > 0 && rendered.missing == rendered.values ? std::nullopt : std::optional(std::move(rendered.text));
}

std::optional<std::string> identity_for(const Template& text, const Event& event) {
  auto rendered = render(text, event);
  return rendered.empty > 0 ? std::nullopt : std::optional(std::move(rendered.text));
}

}  // namespace hark
