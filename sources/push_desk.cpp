#include "sources/push_desk.h"

#include <utility>

namespace hark {
namespace {

// One repository has one name here, whatever links lead to it.
std::string name_of(const std::filesystem::path& repository) {
  std::error_code error;
  const auto real = std::filesystem::canonical(repository, error);
  return error ? repository.lexically_normal().string() : real.string();
}

}  // namespace

PushDesk::Registration PushDesk::listen(const std::filesystem::path& repository, Listener listener) {
  std::erase_if(listeners_, [](const auto& each) { return each.second.expired(); });
  auto held = std::make_shared<Listener>(std::move(listener));
  listeners_.emplace(name_of(repository), held);
  return held;
}

std::size_t PushDesk::tell(const std::filesystem::path& repository, const std::vector<RefMove>& moves) {
  std::vector<std::shared_ptr<Listener>> told;
  const auto [begin, end] = listeners_.equal_range(name_of(repository));
  for (auto at = begin; at != end; ++at) {
    if (auto listener = at->second.lock()) told.push_back(std::move(listener));
  }
  for (const auto& listener : told) (*listener)(moves);
  return told.size();
}

}  // namespace hark
