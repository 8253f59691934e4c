// What is known of a tree: its folders, the files in them that are watched for, and by what a changed file would be told.
//
// Needed to say what changed where events were lost, so it is kept small: a file costs about 100 bytes (name, stamp, hash node).
// Loop thread only. Paths are relative to the root ("" is the root itself), bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <sys/types.h>

namespace hark {

// A file whose stamp is the same is taken to be the same: what make and git trust, too.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;  // mtime
  std::uint64_t inode = 0;

  bool operator==(const FileStamp&) const = default;
};

// Lets maps keyed by std::string be asked with a string_view.
struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>{}(name); }
};
template <class T>
using ByName = std::unordered_map<std::string, T, NameHash, std::equal_to<>>;

struct Folder {
  Folder* parent = nullptr;  // null: the root
  std::string path;
  int watch = -1;  // inotify's number; -1: not watched
  std::uint64_t scanned = 0;  // at which read (see WatchedTree::read)
  ByName<std::unique_ptr<Folder>> folders;
  ByName<FileStamp> files;

  std::string path_of(std::string_view name) const;
  std::string_view name() const;
};

class TreeSnapshot {
 public:
  Folder& root() { return root_; }

  Folder* folder(std::string_view path);
  Folder* folder_of(std::string_view path);  // the one it stands in
  const FileStamp* file(std::string_view path);

  Folder& add_folder(Folder& parent, std::string_view name);  // the one that is there, or a new one
  // Takes the folder out of its parent. The root cannot be.
  std::unique_ptr<Folder> detach(Folder& folder);
  // Puts it under another parent and name, where none is; the paths of all below follow.
  Folder& attach(std::unique_ptr<Folder> folder, Folder& parent, std::string_view name);

 private:
  Folder root_;
};

// Calls for `top` and every folder below it, parents first.
void for_each_folder(Folder& top, const std::function<void(Folder&)>& visit);

enum class EntryKind { missing, file, folder, other };  // a symbolic link is a file; sockets, pipes and devices are `other`

struct Looked {
  EntryKind kind = EntryKind::missing;
  bool complete = false;  // nobody is creating it: a link, or a file with a second name (link(2) makes a file whole)
  FileStamp stamp;
};
// One lstat. `folder`: a descriptor, or AT_FDCWD with an absolute path.
Looked look(int folder, const char* path);

// Calls for each entry of a folder: kind from readdir where the file system tells it. Returns 0 or errno.
int list_folder(const std::string& path, bool follow,
                const std::function<void(int folder, const char* name, EntryKind kind)>& entry);

}  // namespace hark
