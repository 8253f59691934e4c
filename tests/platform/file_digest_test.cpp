#include "platform/file_digest.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/hex.h"
#include "tests/support/temporary_folder.h"

using hark::file_digest;

TEST_CASE("file digest: what a regular file holds, within the budget") {
  const hark::test::TemporaryFolder folder;
  const std::string abc = folder / "abc";
  std::ofstream(abc) << "abc";
  std::uint64_t budget = 5;
  // FIPS 180-4's example.
  CHECK(hark::to_hex(file_digest(abc, budget).value().digest) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(budget == 2);
  CHECK_FALSE(file_digest(abc, budget));
  budget = 1 << 20;
  const std::string empty = folder / "empty", large = folder / "large";
  std::ofstream(empty).flush();
  std::ofstream(large) << std::string(200'000, 'x');
  CHECK(hark::to_hex(file_digest(empty, budget).value().digest).starts_with("e3b0c44298fc1c14"));
  CHECK(file_digest(large, budget).has_value());
  CHECK(budget == (1 << 20) - 200'000);
  CHECK(file_digest(abc, budget)->inode != file_digest(empty, budget)->inode);
  CHECK(file_digest(abc, budget)->inode == file_digest(abc, budget)->inode);
}

TEST_CASE("file digest: of nothing else, and nobody waits for it") {
  const hark::test::TemporaryFolder folder;
  std::uint64_t budget = 1000;
  const std::string pipe = folder / "pipe", link = folder / "link";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  REQUIRE(symlink("/etc/hostname", link.c_str()) == 0);
  for (const auto& path : {pipe, link, std::string(folder / "none"), folder.path().string(), std::string("/dev/null")}) {
    CAPTURE(path);
    CHECK_FALSE(file_digest(path, budget));
  }
  CHECK(budget == 1000);
}
