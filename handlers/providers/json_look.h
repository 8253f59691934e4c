// Looks into what a provider sent, where anything may be missing or of another type. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/event_field.h"

namespace hark {

// By a dotted path; empty: no text is there.
inline std::string text_at(const nlohmann::json& document, std::string_view path) {
  const auto* found = json_at(document, path);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

inline std::optional<std::uint64_t> count_at(const nlohmann::json& document, std::string_view path) {
  const auto* found = json_at(document, path);
  return found != nullptr && found->is_number_unsigned() ? std::optional(found->get<std::uint64_t>()) : std::nullopt;
}

}  // namespace hark
