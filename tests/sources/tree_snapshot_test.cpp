#include "sources/tree_snapshot.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>
#include <map>

#include "tests/support/temporary_folder.h"

using namespace hark;

TEST_CASE("snapshot: a folder that is moved takes the paths of all below it along") {
  TreeSnapshot tree;
  Folder& a = tree.add_folder(tree.root(), "a");
  Folder& deep = tree.add_folder(tree.add_folder(a, "b"), "c");
  Folder& other = tree.add_folder(tree.root(), "other");
  deep.files["file"] = {1, 2, 3};
  CHECK(deep.path == "a/b/c");
  CHECK(tree.file("a/b/c/file")->inode == 3);

  Folder& moved = tree.attach(tree.detach(a), other, "z");
  CHECK(&moved == &a);
  CHECK(deep.path == "other/z/b/c");
  CHECK(deep.path_of("x") == "other/z/b/c/x");
  CHECK(deep.name() == "c");
  CHECK(tree.folder("a") == nullptr);
  CHECK(tree.folder("other/z/b/c") == &deep);
  CHECK(tree.file("a/b/c/file") == nullptr);
  CHECK(tree.file("other/z/b/c/file") != nullptr);
  CHECK(tree.file("file") == nullptr);
  CHECK(tree.folder("") == &tree.root());
}

TEST_CASE("snapshot: links are files, pipes are neither, a second name says that a file is whole") {
  test::TemporaryFolder folder;
  std::ofstream(folder / "file") << "12345";
  std::filesystem::create_directory(folder / "sub");
  std::filesystem::create_directory_symlink(folder / "sub", folder / "link");
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);

  std::map<std::string, EntryKind> seen;
  CHECK(list_folder(folder.path().string(), false, [&](int, const char* name, EntryKind kind) { seen[name] = kind; }) == 0);
  CHECK(seen ==
        std::map<std::string, EntryKind>{
            {"file", EntryKind::file}, {"link", EntryKind::file}, {"pipe", EntryKind::other}, {"sub", EntryKind::folder}});
  CHECK(list_folder((folder / "link").string(), false, [](int, const char*, EntryKind) {}) != 0);
  CHECK(list_folder((folder / "link").string(), true, [](int, const char*, EntryKind) {}) == 0);
  CHECK(list_folder((folder / "none").string(), false, [](int, const char*, EntryKind) {}) == ENOENT);

  const auto file = look(AT_FDCWD, (folder / "file").c_str());
  CHECK(file.stamp.size == 5);
  CHECK_FALSE(file.complete);
  std::filesystem::create_hard_link(folder / "file", folder / "second");
  CHECK(look(AT_FDCWD, (folder / "second").c_str()).complete);
  CHECK(look(AT_FDCWD, (folder / "second").c_str()).stamp == file.stamp);
  CHECK(look(AT_FDCWD, (folder / "none").c_str()).kind == EntryKind::missing);
}
