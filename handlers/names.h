// The names that templates of a handler may use. Pure; handlers/scope.h says what each stands for.
#pragma once

#include <string_view>
#include <utility>

namespace hark {

// "a.b.c" -> {"a", "b.c"}; "a" -> {"a", ""}.
std::pair<std::string_view, std::string_view> split_name(std::string_view name);

// One of the first parts above: "run", "files". In a filter these go before the event's own fields.
bool is_scope_root(std::string_view root);

}  // namespace hark
