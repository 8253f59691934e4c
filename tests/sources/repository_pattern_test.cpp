#include "sources/repository_pattern.h"

#include <doctest/doctest.h>

#include "tests/support/bound_by_modes.h"
#include "tests/support/git_folder.h"

using namespace hark;
using hark::test::BoundByModes;
using hark::test::GitFolder;

namespace {

// The paths relative to the folder, separated by blanks.
std::string named(const GitFolder& folder, const std::string& pattern) {
  const auto found = named_repositories((folder / "").string() + pattern);
  if (!found) return found.error().text();
  std::string list;
  for (const auto& path : found->paths) list += (list.empty() ? "" : " ") + std::filesystem::path(path).lexically_relative(folder / "").string();
  return list;
}

}  // namespace

TEST_CASE("repository pattern: what it names, sorted, and no folder that is none") {
  const GitFolder folder;
  folder.shell(".", "mkdir -p git/plain git/deep git/HEAD; for name in b a deep/c; do git init -q git/$name; done; git init -q --bare git/z.git; ln -s a git/link");
  CHECK(named(folder, "git/*") == "git/a git/b git/link git/z.git");
  CHECK(named(folder, "git/*/*") == "git/deep/c");
  CHECK(named(folder, "git/[a-y]") == "git/a git/b");
  CHECK(named(folder, "git/?.git") == "git/z.git");
  CHECK(named(folder, "git/*.svn") == "");
}

TEST_CASE("repository pattern: a folder that is not there is no pattern without repositories") {
  const GitFolder folder;
  CHECK(named(folder, "gone/*.git").find("there is no folder " + (folder / "gone").string()) == 0);
  folder.shell(".", "mkdir gone");
  CHECK(named(folder, "gone/*.git") == "");
  CHECK(named(folder, "gone/*/*") == "");
}

TEST_CASE("repository pattern: a folder's name stands for itself, whatever is in it") {
  const GitFolder folder;
  const std::string odd = "a[b]*?\\c";
  folder.shell(".", "mkdir 'a[b]*?\\c' abx; git init -q 'a[b]*?\\c/one'; git init -q abx/two");
  CHECK(named(folder, as_pattern(odd) + "/*") == odd + "/one");
}

TEST_CASE("repository pattern: folders that nobody may look into are named") {
  const GitFolder folder;
  folder.shell(".", "git init -q git/a; git init -q git/shut; git init -q git/far/b; chmod 0 git/shut git/far");
  {
    const BoundByModes bound;
    const auto shallow = named_repositories((folder / "git/*").string());
    const auto deep = named_repositories((folder / "git/*/*").string());
    REQUIRE((shallow.ok() && deep.ok()));
    CHECK(shallow->paths == std::vector{(folder / "git/a").string()});
    CHECK(shallow->unreadable == std::vector{(folder / "git/far").string(), (folder / "git/shut").string()});
    CHECK(std::set(deep->unreadable.begin(), deep->unreadable.end()) == std::set{(folder / "git/far").string(), (folder / "git/shut").string()});
  }
  folder.shell(".", "chmod 755 git/shut git/far");
}
