// The names that templates of a handler may use. Pure; handlers/scope.h says what each stands for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace hark {

// "a.b.c" -> {"a", "b.c"}; "a" -> {"a", ""}.
std::pair<std::string_view, std::string_view> split_name(std::string_view name);

// What the place that a template stands in gives, beside what every one does.
struct KnownNames {
  std::vector<std::string> steps;                                 // before it
  std::vector<std::string> vars;                                  // that those set
  std::optional<std::vector<std::string>> parameters{};           // of the recipe it stands in
  bool item = false;                                              // of a `foreach`
};
// An Error for a name that is unknown there, with the nearest known one.
Status check_name(std::string_view name, const KnownNames& known);

// One of the first parts above: "run", "files". In a filter these go before the event's own fields.
bool is_scope_root(std::string_view root);

}  // namespace hark
