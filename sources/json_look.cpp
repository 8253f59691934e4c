#include "sources/json_look.h"

#include <nlohmann/json.hpp>

namespace hark {

JsonLook JsonLook::operator[](const char* key) const {
  if (value_ == nullptr || !value_->is_object()) return {};
  const auto found = value_->find(key);
  return found == value_->end() ? JsonLook() : JsonLook(*found);
}

JsonLook JsonLook::first() const {
  return value_ == nullptr || !value_->is_array() || value_->empty() ? JsonLook() : JsonLook(value_->front());
}

bool JsonLook::is_there() const { return value_ != nullptr && !value_->is_null(); }

std::optional<std::string_view> JsonLook::string() const {
  if (value_ == nullptr || !value_->is_string()) return std::nullopt;
  return value_->get_ref<const std::string&>();
}

std::string JsonLook::text(std::size_t limit) const {
  const auto found = string();
  return found && found->size() <= limit ? std::string(*found) : std::string();
}

std::optional<bool> JsonLook::flag() const {
  if (value_ == nullptr || !value_->is_boolean()) return std::nullopt;
  return value_->get<bool>();
}

std::optional<std::uint64_t> JsonLook::number() const {
  if (value_ == nullptr || !value_->is_number_integer()) return std::nullopt;
  if (!value_->is_number_unsigned() && value_->get<std::int64_t>() < 0) return std::nullopt;
  return value_->get<std::uint64_t>();
}

const nlohmann::json& JsonLook::list() const {
  static const nlohmann::json none = nlohmann::json::array();
  return value_ != nullptr && value_->is_array() ? *value_ : none;
}

const nlohmann::json& JsonLook::value() const {
  static const nlohmann::json none;
  return value_ == nullptr ? none : *value_;
}

}  // namespace hark
