#include "platform/file_system.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include "core/limits.h"
#include "platform/changed_at.h"
#include "platform/clock.h"
#include "tests/support/temporary_folder.h"

namespace {

// What the program under test says to the kernel, in order. The definitions below take the place of the C library's.
std::mutex calls_mutex;
std::vector<std::string> calls;

void record(const std::string& call) {
  std::lock_guard lock(calls_mutex);
  calls.push_back(call);
}
std::vector<std::string> take_calls() {
  std::lock_guard lock(calls_mutex);
  return std::exchange(calls, {});
}
bool is_folder(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

extern "C" int fsync(int fd) {
  record(is_folder(fd) ? "sync folder" : "sync file");
  return static_cast<int>(syscall(SYS_fsync, fd));
}
extern "C" int rename(const char* from, const char* to) noexcept {
  record("rename");
  return static_cast<int>(syscall(SYS_rename, from, to));
}

namespace hark {
namespace {

using test::TemporaryFolder;
namespace fs = std::filesystem;

int mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return static_cast<int>(status.st_mode & 07777);
}

std::size_t entries_of(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// Everything the scope makes gets this umask.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(umask(mask)) {}
  ~Umask() { umask(before_); }

 private:
  mode_t before_;
};

TEST_CASE("file system: what is replaced is read again, with every byte") {
  const TemporaryFolder folder;
  RealFileSystem files;
  std::string content = "text\n";
  content += '\0';
  content += "\xff\r\n";
  content.append(300'000, 'x');
  REQUIRE(files.replace(folder / "a", "older and longer than nothing").ok());
  REQUIRE(files.replace(folder / "a", content).ok());
  const auto read = files.read(folder / "a", 1'000'000);
  REQUIRE(read.ok());
  CHECK(read->value() == content);
  CHECK(entries_of(folder.path()) == 1);
}

TEST_CASE("file system: a file that is not there is no error, a folder or a path through a file is") {
  const TemporaryFolder folder;
  RealFileSystem files;
  const auto none = files.read(folder / "none", 10);
  REQUIRE(none.ok());
  CHECK_FALSE(none->has_value());
  CHECK_FALSE(files.read(folder.path(), 10).ok());
  REQUIRE(files.replace(folder / "file", "").ok());
  CHECK(files.read(folder / "file", 10)->value().empty());
  const auto below = files.read(folder / "file" / "below", 10);
  REQUIRE_FALSE(below.ok());
  CHECK(below.error().text().find("Not a directory") != std::string::npos);
}

TEST_CASE("file system: the bound is exact, and holds for files that do not know their size") {
  const TemporaryFolder folder;
  RealFileSystem files;
  REQUIRE(files.replace(folder / "a", std::string(5000, 'x')).ok());
  CHECK(files.read(folder / "a", 5000).ok());
  CHECK_FALSE(files.read(folder / "a", 4999).ok());
  CHECK_FALSE(files.read("/dev/zero", 100'000).ok());
  const auto proc = files.read("/proc/self/stat", 4096);
  REQUIRE(proc.ok());
  CHECK(proc->value().size() > 50);
  CHECK_FALSE(files.read("/proc/self/stat", 10).ok());
}

TEST_CASE("file system: a pipe is read to its end, also when its writer comes later; one without a writer is an error") {
  const TemporaryFolder folder;
  RealFileSystem files;
  const auto fifo = folder / "fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  const auto nobody = RealFileSystem(Duration::zero()).read(fifo, 100);
  REQUIRE_FALSE(nobody.ok());
  CHECK(nobody.error().message.find("nobody writes to " + fifo.string()) == 0);

  std::thread writer([&] {
    int fd = -1;  // ENXIO: the reader has not opened it yet
    while ((fd = open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) std::this_thread::yield();
    for (const char* part : {"in two ", "parts"}) {
      CHECK(write(fd, part, strlen(part)) == ssize_t(strlen(part)));
      std::this_thread::yield();
    }
    close(fd);
  });
  const auto later = files.read(fifo, 100);
  writer.join();
  REQUIRE(later.ok());
  CHECK(later->value() == "in two parts");

  int ends[2];
  REQUIRE(pipe(ends) == 0);
  REQUIRE(write(ends[1], "from a pipe", 11) == 11);
  close(ends[1]);
  CHECK(files.read("/proc/self/fd/" + std::to_string(ends[0]), 100)->value() == "from a pipe");
  close(ends[0]);
}

TEST_CASE("file system: replace syncs the file before it renames it, and the folder after") {
  const TemporaryFolder folder;
  RealFileSystem files;
  take_calls();
  REQUIRE(files.replace(folder / "a", "x").ok());
  CHECK(take_calls() == std::vector<std::string>{"sync file", "rename", "sync folder"});
  REQUIRE(files.rename(folder / "a", folder / "b").ok());
  CHECK(take_calls() == std::vector<std::string>{"rename", "sync folder"});
  REQUIRE(make_private_folder(folder / "c" / "d").ok());
  CHECK(take_calls() == std::vector<std::string>{"sync folder", "sync folder"});
  REQUIRE(files.rename(folder / "b", folder / "c" / "b").ok());
  CHECK(take_calls() == std::vector<std::string>{"rename", "sync folder", "sync folder"});
}

TEST_CASE("file system: files are 0600 and folders 0700, whatever the umask") {
  for (const mode_t mask : {mode_t{0}, mode_t{0077}, mode_t{0777}}) {
    const TemporaryFolder folder;
    const Umask set(mask);
    RealFileSystem files;
    REQUIRE(files.replace(folder / "a" / "b" / "c", "x").ok());
    CHECK(mode_of(folder / "a") == 0700);
    CHECK(mode_of(folder / "a" / "b") == 0700);
    CHECK(mode_of(folder / "a" / "b" / "c") == (0600 & ~mask));
  }
}

TEST_CASE("file system: folders that are there are left as they are, and a file in their place is an error") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "open");
  fs::permissions(folder / "open", fs::perms(0755));
  CHECK(make_private_folder(folder / "open").ok());
  CHECK(make_private_folder((folder / "open").string() + "/").ok());
  CHECK(make_private_folder((folder / "open").string() + "/new/").ok());
  CHECK(mode_of(folder / "open") == 0755);
  CHECK(mode_of(folder / "open" / "new") == 0700);
  CHECK(make_private_folder(".").ok());
  CHECK(make_private_folder("/").ok());

  std::ofstream(folder / "file") << "x";
  const auto status = make_private_folder(folder / "file");
  REQUIRE_FALSE(status.ok());
  CHECK_FALSE(status.error().cure.empty());
  CHECK_FALSE(make_private_folder(folder / "file" / "below").ok());
  RealFileSystem files;
  CHECK_FALSE(files.replace(folder / "file" / "below", "x").ok());
}

TEST_CASE("file system: when the disk takes no more, the old file stays and nothing else is left") {
  const TemporaryFolder folder;
  RealFileSystem files;
  REQUIRE(files.replace(folder / "a", "old").ok());
  // A bound on the size of files is a full disk that needs no disk: write(2) takes a part, then fails.
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{10'000, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto status = files.replace(folder / "a", std::string(100'000, 'x'));
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);

  REQUIRE_FALSE(status.ok());
  CHECK_FALSE(status.error().cure.empty());
  CHECK(files.read(folder / "a", 100)->value() == "old");
  CHECK(entries_of(folder.path()) == 1);
  CHECK(files.replace(folder / "a", "new").ok());
}

TEST_CASE("file system: renaming what is not there is an error") {
  const TemporaryFolder folder;
  RealFileSystem files;
  CHECK_FALSE(files.rename(folder / "none", folder / "b").ok());
}

}  // namespace
}  // namespace hark

TEST_CASE("file times: a file on a local disk tells when it was changed, whatever it was told to say") {
  const hark::test::TemporaryFolder folder;
  const auto file = (folder / "file").string();
  CHECK_FALSE(hark::changed_at(file));
  const auto before = hark::SystemClock().now().wall;
  std::ofstream(file) << "x";
  const timespec long_ago[2] = {{1, 0}, {1, 0}};
  REQUIRE(utimensat(AT_FDCWD, file.c_str(), long_ago, 0) == 0);
  const auto changed = hark::changed_at(file);
  if (!changed) return;  // a build folder on a network's file system
  CHECK(*changed >= before - hark::limits::kFileTimeGrain);
  CHECK(*changed <= hark::SystemClock().now().wall);
  CHECK_FALSE(hark::changed_at("/proc/self/status"));
}
