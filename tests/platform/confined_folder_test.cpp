#include "platform/confined_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include <doctest/doctest.h>

#include "core/glob.h"
#include "tests/support/temporary_folder.h"

using namespace hark;
using How = ConfinedFolder::How;
namespace fs = std::filesystem;

namespace {

struct World {
  World() {
    fs::create_directories(outer / "in/sub");
    put(outer / "secret", "secret");
  }
  static void put(const fs::path& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }
  static std::string content(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string read(const std::string& path) const {
    const auto content = in.read(path, 1000);
    return !content ? "error: " + content.error().message : content->has_value() ? (*content)->head : "none";
  }
  test::TemporaryFolder outer;
  ConfinedFolder in = (fs::create_directories(outer / "in"), std::move(ConfinedFolder::open((outer / "in").string()).value()));
};

}  // namespace

TEST_CASE("confined folder: what is written is read, folders are made, a mode stays") {
  World world;
  CHECK(world.read("a/b/c") == "none");
  REQUIRE(world.in.write("a/b/c", "one", How::replace));
  CHECK(world.read("a/b/c") == "one");
  chmod((world.outer / "in/a/b/c").c_str(), 0640);
  REQUIRE(world.in.write("a/b/c", "2", How::replace));
  REQUIRE(world.in.write("a/b/c", "3", How::append));
  CHECK(world.content(world.outer / "in/a/b/c") == "23");
  CHECK((fs::status(world.outer / "in/a/b/c").permissions() & fs::perms::all) == fs::perms(0640));
  const auto content = world.in.read("a/b/c", 1);
  REQUIRE((content && content->has_value()));
  CHECK((*content)->head == "2");
  CHECK((*content)->bytes == 2);
}

TEST_CASE("confined folder: no path leads out of it") {
  World world;
  fs::create_symlink("../secret", world.outer / "in/link");
  fs::create_symlink(world.outer / "secret", world.outer / "in/absolute");
  fs::create_symlink("..", world.outer / "in/up");
  fs::create_symlink("/proc/self/root", world.outer / "in/root");
  fs::create_symlink("/proc/self/cwd", world.outer / "in/magic");
  for (const std::string& path : std::vector<std::string>{"../secret", "sub/../../secret", "/etc/passwd", "link", "absolute", "up/secret", "root/etc/passwd", "sub/../link", "..", "./../secret", "up", "magic/x"}) {
    CAPTURE(path);
    CHECK(world.read(path).find("error: ") == 0);
    CHECK_FALSE(world.in.write(path, "mine", How::replace));
    CHECK_FALSE(world.in.write(path + "/deeper/file", "mine", How::replace));
  }
  for (const auto& path : {std::string(), std::string("a\0b", 3), std::string(5000, 'x')}) CHECK_FALSE(world.in.write(path, "mine", How::append));
  CHECK(world.content(world.outer / "secret") == "secret");
  CHECK_FALSE(fs::exists(world.outer / "deeper"));
  CHECK(world.in.read("link", 10).error().message == "cannot read 'link': it leads out of the folder");
}

TEST_CASE("confined folder: links that stay within are followed, what is no file is none") {
  World world;
  fs::create_symlink("sub/file", world.outer / "in/link");
  REQUIRE(world.in.write("link", "through", How::replace));
  CHECK(world.content(world.outer / "in/sub/file") == "through");
  REQUIRE(mkfifo((world.outer / "in/pipe").c_str(), 0600) == 0);
  CHECK(world.read("pipe").find("is no regular file") != std::string::npos);
  CHECK(world.read("sub").find("is no regular file") != std::string::npos);
  CHECK_FALSE(world.in.write("pipe", "x", How::replace));
  CHECK_FALSE(world.in.write("sub", "x", How::replace));
}

TEST_CASE("confined folder: a folder that becomes a link out of it while it is written to leads nowhere") {
  World world;
  fs::create_directory(world.outer / "target");
  fs::create_directory_symlink("../target", world.outer / "in/other");
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    std::error_code ignored;
    while (!stop) {
      renameat2(AT_FDCWD, (world.outer / "in/sub").c_str(), AT_FDCWD, (world.outer / "in/other").c_str(), RENAME_EXCHANGE);
    }
  });
  int written = 0, refused = 0;
  for (int i = 0; i < 20'000 || written == 0 || refused == 0; ++i) ++(world.in.write("sub/new/file" + std::to_string(i % 10), "x", How::replace) ? written : refused);
  stop = true;
  swapper.join();
  CHECK(fs::is_empty(world.outer / "target"));
}

TEST_CASE("confined folder: a new folder's place is told, its parents are made, and it is never a link or without") {
  World world;
  const auto in = (world.outer / "in").string();
  CHECK(world.in.place_of("a/b/new").value() == in + "/a/b/new");
  CHECK(fs::is_directory(world.outer / "in/a/b"));
  CHECK_FALSE(fs::exists(world.outer / "in/a/b/new"));
  CHECK(world.in.place_of("sub//").value() == in + "/sub");
  fs::create_directory_symlink("sub", world.outer / "in/within");
  CHECK(world.in.place_of("within/x").value() == in + "/sub/x");
  fs::create_directory_symlink("..", world.outer / "in/out");
  for (const char* path : {"", ".", "..", "a/..", "/tmp", "out", "out/", "out/x", "out/in/x", "within", "./."}) {
    INFO(path);
    CHECK_FALSE(world.in.place_of(path));
  }
}

TEST_CASE("confined folder: files are found by a glob, sorted, links to folders are not entered") {
  World world;
  for (const auto* name : {"b.md", "a.md", "sub/c.md", "sub/d.txt", "sub/.e.md"}) world.put(world.outer / "in" / name, "");
  fs::create_directory_symlink("..", world.outer / "in/sub/up");
  fs::create_symlink("../secret", world.outer / "in/out.md");
  fs::create_symlink("gone", world.outer / "in/broken.md");
  fs::create_symlink("sub/d.txt", world.outer / "in/l.md");
  mkfifo((world.outer / "in/pipe.md").c_str(), 0600);
  const auto find = [&](const char* pattern, std::size_t most = 100) { return world.in.find(*Glob::parse(pattern), most); };
  CHECK(*find("*.md") == std::vector<std::string>{"a.md", "b.md", "l.md", "sub/.e.md", "sub/c.md"});
  CHECK(*find("/*.md") == std::vector<std::string>{"a.md", "b.md", "l.md"});
  CHECK(*find("sub/**") == std::vector<std::string>{"sub/.e.md", "sub/c.md", "sub/d.txt"});
  CHECK(find("nothing")->empty());
  CHECK(find("*.md", 4).error().message.find("more than 4 files match '*.md'") == 0);
}
