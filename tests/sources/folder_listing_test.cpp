#include "sources/folder_listing.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>
#include <map>
#include <set>

#include "tests/support/temporary_folder.h"

using namespace hark;

TEST_CASE("folder listing: links are files, pipes are neither, a second name says that a file is whole") {
  test::TemporaryFolder folder;
  std::ofstream(folder / "file") << "12345";
  std::filesystem::create_directory(folder / "sub");
  std::filesystem::create_directory_symlink(folder / "sub", folder / "link");
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);

  FolderListing listing;
  std::map<std::string, EntryKind> seen;
  CHECK(listing.read(folder.path().string(), false) == 0);
  for (const auto& entry : listing.entries()) seen[listing.name(entry)] = entry.kind;
  CHECK(seen ==
        std::map<std::string, EntryKind>{
            {"file", EntryKind::file}, {"link", EntryKind::file}, {"pipe", EntryKind::other}, {"sub", EntryKind::folder}});
  CHECK(look(listing.descriptor(), "file").kind == EntryKind::file);
  CHECK(listing.read((folder / "link").string(), false) != 0);
  CHECK(listing.read((folder / "link").string(), true) == 0);
  CHECK(listing.entries().empty());
  CHECK(listing.read((folder / "none").string(), false) == ENOENT);

  const auto file = look(AT_FDCWD, (folder / "file").c_str());
  CHECK(file.stamp.looked_at());
  CHECK_FALSE(file.complete);
  std::filesystem::create_hard_link(folder / "file", folder / "second");
  CHECK(look(AT_FDCWD, (folder / "second").c_str()).complete);
  CHECK(look(AT_FDCWD, (folder / "second").c_str()).stamp == file.stamp);
  CHECK(look(AT_FDCWD, (folder / "none").c_str()).kind == EntryKind::missing);
  std::ofstream(folder / "file", std::ios::app) << "6";
  CHECK(look(AT_FDCWD, (folder / "file").c_str()).stamp != file.stamp);
}

TEST_CASE("folder listing: a folder of many files is listed whole") {
  test::TemporaryFolder folder;
  for (int i = 0; i < 3000; ++i) std::ofstream(folder / ("a rather long name of a file, number " + std::to_string(i)));
  FolderListing listing;
  CHECK(listing.read(folder.path().string(), false) == 0);
  std::set<std::string> names;
  for (const auto& entry : listing.entries()) names.insert(listing.name(entry));
  CHECK(names.size() == 3000);
}
