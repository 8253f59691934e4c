// What is known of a tree: its folders, the files in them that are watched for, and by what a changed file would be told.
//
// Needed to say what changed where events were lost, so it is kept small (file_table.h; a folder costs about 200 bytes).
// Loop thread only. Paths are relative to the root ("" is the root itself), bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sources/file_table.h"

namespace hark {

struct FolderRules;

struct Folder {
  Folder();
  ~Folder();

  Folder* parent = nullptr;  // null: the root
  std::string name;
  int watch = -1;             // the notifier's number; -1: not watched
  std::uint64_t scanned = 0;  // at which read (see WatchedTree::read)
  std::vector<std::unique_ptr<Folder>> folders;  // by name
  FileTable files;
  std::unique_ptr<FolderRules> rules;  // what it says itself of what is to be ignored in it and below; null: nothing

  std::string path() const;
  std::string path_of(std::string_view entry) const;
  Folder* folder(std::string_view child) const;  // null: there is none
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
  // Puts it under another parent and name, where none is.
  Folder& attach(std::unique_ptr<Folder> folder, Folder& parent, std::string_view name);

 private:
  Folder root_;
};

// Calls for `top` and every folder below it, parents first.
void for_each_folder(Folder& top, const std::function<void(Folder&)>& visit);

std::string_view last_segment(std::string_view path);

}  // namespace hark
