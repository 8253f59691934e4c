#include "sources/tree_snapshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <utility>
#include <vector>

namespace hark {
namespace {

std::string join(const std::string& folder, std::string_view name) {
  std::string path;
  path.reserve(folder.size() + 1 + name.size());
  if (!folder.empty()) path.append(folder).push_back('/');
  return path.append(name);
}

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

}  // namespace

std::string Folder::path_of(std::string_view name) const { return join(path, name); }
std::string_view Folder::name() const { return std::string_view(path).substr(path.rfind('/') + 1); }

Folder* TreeSnapshot::folder(std::string_view path) {
  Folder* at = &root_;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto found = at->folders.find(path.substr(0, slash));
    if (found == at->folders.end()) return nullptr;
    at = found->second.get();
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
  if (in == nullptr) return nullptr;
  const auto found = in->files.find(path.substr(path.rfind('/') + 1));  // npos + 1 is 0
  return found == in->files.end() ? nullptr : &found->second;
}

Folder& TreeSnapshot::add_folder(Folder& parent, std::string_view name) {
  const auto found = parent.folders.find(name);
  if (found != parent.folders.end()) return *found->second;
  auto folder = std::make_unique<Folder>();
  folder->parent = &parent;
  folder->path = parent.path_of(name);
  return *parent.folders.emplace(std::string(name), std::move(folder)).first->second;
}

std::unique_ptr<Folder> TreeSnapshot::detach(Folder& folder) {
  assert(folder.parent != nullptr);
  auto& siblings = folder.parent->folders;
  const auto at = siblings.find(folder.name());
  auto detached = std::move(at->second);
  siblings.erase(at);
  detached->parent = nullptr;
  return detached;
}

Folder& TreeSnapshot::attach(std::unique_ptr<Folder> folder, Folder& parent, std::string_view name) {
  Folder& moved = *folder;
  moved.parent = &parent;
  parent.folders.insert_or_assign(std::string(name), std::move(folder));
  moved.path = parent.path_of(name);
  for_each_folder(moved, [](Folder& each) {
    for (auto& [child_name, child] : each.folders) child->path = each.path_of(child_name);
  });
  return moved;
}

void for_each_folder(Folder& top, const std::function<void(Folder&)>& visit) {
  std::vector<Folder*> todo{&top};  // no recursion: a tree may be deeper than the stack likes
  while (!todo.empty()) {
    Folder& folder = *todo.back();
    todo.pop_back();
    visit(folder);
    for (auto& [name, child] : folder.folders) todo.push_back(child.get());
  }
}

Looked look(int folder, const char* path) {
  struct stat found;
  if (fstatat(folder, path, &found, AT_SYMLINK_NOFOLLOW) != 0) return {};
  const std::int64_t modified = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec;
  Looked looked{EntryKind::other, false, {static_cast<std::uint64_t>(found.st_size), modified, found.st_ino}};
  if (S_ISDIR(found.st_mode)) looked.kind = EntryKind::folder;
  if (S_ISREG(found.st_mode) || S_ISLNK(found.st_mode)) looked.kind = EntryKind::file;
  looked.complete = S_ISLNK(found.st_mode) || found.st_nlink > 1;
  return looked;
}

int list_folder(const std::string& path, bool follow, const std::function<void(int, const char*, EntryKind)>& entry) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
  if (descriptor < 0) return errno;
  const std::unique_ptr<DIR, CloseFolder> listing(fdopendir(descriptor));
  if (!listing) {
    const int error = errno;
    ::close(descriptor);
    return error;
  }
  for (;;) {
    errno = 0;
    const dirent* found = readdir(listing.get());
    if (found == nullptr) return errno;
    const std::string_view name = found->d_name;
    if (name == "." || name == "..") continue;
    EntryKind kind = EntryKind::other;
    if (found->d_type == DT_DIR) kind = EntryKind::folder;
    if (found->d_type == DT_REG || found->d_type == DT_LNK) kind = EntryKind::file;
    if (found->d_type == DT_UNKNOWN) kind = look(descriptor, found->d_name).kind;
    entry(descriptor, found->d_name, kind);
  }
}

}  // namespace hark
