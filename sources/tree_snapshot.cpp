#include "sources/tree_snapshot.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "sources/ignore_files.h"

namespace hark {
namespace {

using Folders = std::vector<std::unique_ptr<Folder>>;

Folders::const_iterator place_of(const Folders& folders, std::string_view name) {
  return std::lower_bound(folders.begin(), folders.end(), name,
                          [](const std::unique_ptr<Folder>& folder, std::string_view wanted) { return folder->name < wanted; });
}

Folder& insert(std::unique_ptr<Folder> folder, Folder& parent) {
  folder->parent = &parent;
  return **parent.folders.insert(place_of(parent.folders, folder->name), std::move(folder));
}

}  // namespace

Folder::Folder() = default;
Folder::~Folder() = default;

std::string Folder::path() const {
  if (parent == nullptr) return {};
  std::size_t length = name.size();
  for (const Folder* at = parent; at->parent != nullptr; at = at->parent) length += at->name.size() + 1;
  std::string path(length, '/');
  for (const Folder* at = this; at->parent != nullptr; at = at->parent) {
    length -= at->name.size();
    path.replace(length, at->name.size(), at->name);
    if (length > 0) --length;
  }
  return path;
}

std::string Folder::path_of(std::string_view entry) const {
  auto path = this->path();
  if (!path.empty()) path.push_back('/');
  return path.append(entry);
}

Folder* Folder::folder(std::string_view child) const {
  const auto at = place_of(folders, child);
  return at == folders.end() || (*at)->name != child ? nullptr : at->get();
}

Folder* TreeSnapshot::folder(std::string_view path) {
  Folder* at = &root_;
  while (at != nullptr && !path.empty()) {
    const auto slash = path.find('/');
    at = at->folder(path.substr(0, slash));
    path = slash == path.npos ? std::string_view{} : path.substr(slash + 1);
  }
  return at;
}

Folder* TreeSnapshot::folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? &root_ : folder(path.substr(0, slash));
}

const FileStamp* TreeSnapshot::file(std::string_view path) {
  Folder* in = folder_of(path);
  return in == nullptr ? nullptr : in->files.find(last_segment(path));
}

Folder& TreeSnapshot::add_folder(Folder& parent, std::string_view name) {
  if (Folder* there = parent.folder(name)) return *there;
  auto folder = std::make_unique<Folder>();
  folder->name = name;
  return insert(std::move(folder), parent);
}

std::unique_ptr<Folder> TreeSnapshot::detach(Folder& folder) {
  assert(folder.parent != nullptr);
  auto& siblings = folder.parent->folders;
  const auto at = siblings.begin() + (place_of(siblings, folder.name) - siblings.cbegin());
  auto detached = std::move(*at);
  siblings.erase(at);
  detached->parent = nullptr;
  return detached;
}

Folder& TreeSnapshot::attach(std::unique_ptr<Folder> folder, Folder& parent, std::string_view name) {
  folder->name = name;
  return insert(std::move(folder), parent);
}

void for_each_folder(Folder& top, const std::function<void(Folder&)>& visit) {
  std::vector<Folder*> todo{&top};  // no recursion: a tree may be deeper than the stack likes
  while (!todo.empty()) {
    Folder& folder = *todo.back();
    todo.pop_back();
    visit(folder);
    for (auto& child : folder.folders) todo.push_back(child.get());
  }
}

std::string_view last_segment(std::string_view path) { return path.substr(path.rfind('/') + 1); }  // npos + 1 is 0

}  // namespace hark
