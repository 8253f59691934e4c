#include "sources/repository_owner.h"

#include <string_view>

namespace hark {

Status owner_status(const std::filesystem::path& repository, uid_t owner, uid_t self, const std::vector<std::string>& safe) {
  if (owner == self || owner == 0 || self == 0) return {};
  std::string path = repository.lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  for (std::string_view entry : safe) {
    if (entry == "*" || entry == path) return {};
    if (entry.size() > 2 && entry.ends_with("/*") && path.starts_with(entry.substr(0, entry.size() - 1))) return {};
  }
  return Error{"repository " + path + " belongs to user " + std::to_string(owner) + ", hark runs as user " + std::to_string(self),
               "if you trust it: git config --global --add safe.directory " + path};
}

}  // namespace hark
