#include "sources/known_files.h"

#include <cstring>
#include <utility>

#include "sources/marks.h"
#include "sources/tree_snapshot.h"

namespace hark {
namespace {

constexpr std::size_t kMarkBytes = sizeof(FileStamp::content) + sizeof(FileStamp::inode);

FileStamp stamp_of(const std::string& mark) {
  FileStamp stamp;
  std::memcpy(&stamp.content, mark.data(), sizeof stamp.content);
  std::memcpy(&stamp.inode, mark.data() + sizeof stamp.content, sizeof stamp.inode);
  return stamp;
}

Folder& folder_at(TreeSnapshot& snapshot, std::string_view path) {
  Folder* at = &snapshot.root();
  while (!path.empty()) {
    const auto slash = path.find('/');
    at = &snapshot.add_folder(*at, path.substr(0, slash));
    path = slash == path.npos ? std::string_view{} : path.substr(slash + 1);
  }
  return *at;
}

}  // namespace

std::string file_mark(const FileStamp& stamp) {
  std::string mark(kMarkBytes, '\0');
  std::memcpy(mark.data(), &stamp.content, sizeof stamp.content);
  std::memcpy(mark.data() + sizeof stamp.content, &stamp.inode, sizeof stamp.inode);
  return mark;
}

Result<bool> load_known_files(Marks& marks, const std::string& source, const std::string& tree, TreeSnapshot& snapshot) {
  const auto kept = marks.marks_of(source);
  if (!kept) return kept.error();
  if (const auto whose = kept->find(""); whose == kept->end() || whose->second != tree) return false;
  Folder* folder = &snapshot.root();  // they come by path: most are in the folder of the one before
  std::string_view at;
  for (const auto& [path, mark] : *kept) {
    if (mark.size() != kMarkBytes || path.empty()) continue;
    const auto slash = path.rfind('/');
    const auto in = std::string_view(path).substr(0, slash == path.npos ? 0 : slash);
    if (in != at) folder = &folder_at(snapshot, in);
    at = in;
    folder->files.set(last_segment(path), stamp_of(mark));
  }
  return true;
}

void keep_known_files(Marks& marks, const std::string& source, const std::string& tree, TreeSnapshot& snapshot) {
  MarkSet all = {{"", tree}};
  for_each_folder(snapshot.root(), [&](Folder& folder) {
    folder.files.each([&](std::string_view name, const FileStamp& stamp) { all.emplace(folder.path_of(name), file_mark(stamp)); });
  });
  marks.replace_marks(source, std::move(all));
}

Status forget_known_files(Marks& marks, const std::string& source) {
  const auto kept = marks.marks_of(source);
  if (!kept) return kept.error();
  if (!kept->empty()) marks.replace_marks(source, {});
  return {};
}

}  // namespace hark
