// A look into JSON that a stranger wrote: what is missing, or of another type than asked for, reads as nothing. For the readers
// of the forges' pull requests. Pure; nothing throws; the JSON must outlive the look.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace hark {

class JsonLook {
 public:
  explicit JsonLook(const nlohmann::json& value) : value_(&value) {}

  JsonLook operator[](const char* key) const;  // of an object
  JsonLook first() const;                      // of a list

  bool is_there() const;                           // and not null
  std::optional<std::string_view> string() const;  // of any length
  std::string text(std::size_t limit) const;       // a longer string is none: half a name is another name
  std::optional<bool> flag() const;
  std::optional<std::uint64_t> number() const;  // a whole one, not negative
  const nlohmann::json& list() const;           // to go through; empty where it is none
  const nlohmann::json& value() const;          // null where there is none

 private:
  JsonLook() = default;
  const nlohmann::json* value_ = nullptr;
};

}  // namespace hark
