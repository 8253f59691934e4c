#include "sources/tree_snapshot.h"

#include <doctest/doctest.h>

using namespace hark;

TEST_CASE("snapshot: a folder that is moved takes the paths of all below it along") {
  TreeSnapshot tree;
  Folder& a = tree.add_folder(tree.root(), "a");
  Folder& deep = tree.add_folder(tree.add_folder(a, "b"), "c");
  Folder& other = tree.add_folder(tree.root(), "other");
  deep.files.set("file", {2, 3});
  CHECK(deep.path() == "a/b/c");
  CHECK(tree.file("a/b/c/file")->inode == 3);

  Folder& moved = tree.attach(tree.detach(a), other, "z");
  CHECK(&moved == &a);
  CHECK(deep.path() == "other/z/b/c");
  CHECK(deep.path_of("x") == "other/z/b/c/x");
  CHECK(deep.name == "c");
  CHECK(tree.folder("a") == nullptr);
  CHECK(tree.folder("other/z/b/c") == &deep);
  CHECK(tree.file("a/b/c/file") == nullptr);
  CHECK(tree.file("other/z/b/c/file") != nullptr);
  CHECK(tree.file("file") == nullptr);
  CHECK(tree.folder("") == &tree.root());
}
