#include "core/event_template.h"

#include <vector>

#include <nlohmann/json.hpp>

#include "core/event_field.h"

namespace hark {

std::optional<std::string> rendered_for(const Template& text, const Event& event) {
  std::vector<nlohmann::json> scratch;  // values stay where they are until all are put in
  scratch.reserve(text.parts().size());
  bool any = text.constant();
  auto rendered = text.render([&](std::string_view name) {
    const auto* value = event_field(event, name, scratch.emplace_back());
    any = any || value != nullptr;
    return value;
  });
  return any ? std::optional(std::move(rendered)) : std::nullopt;
}

}  // namespace hark
