#include "platform/file_system.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "platform/descriptor.h"
#include "platform/errno_text.h"

namespace hark {
namespace {

Error failure(const std::string& what, int error) {
  std::string cure;
  if (error == ENOSPC || error == EDQUOT || error == EFBIG)
    cure = "free space there, or raise the quota or the limit on file sizes";
  if (error == EACCES || error == EPERM) cure = "check who owns the file and the folders above it, or name another place";
  if (error == EROFS) cure = "the file system is mounted read-only: name another place";
  if (error == ENOTDIR) cure = "a part of the path is a file and no folder: name another place";
  return {what + ": " + errno_text(error), std::move(cure)};
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  auto folder = path.parent_path();
  return folder.empty() ? "." : folder;
}

// A name in a folder is on the disk only when the folder is.
Status sync_folder(const std::filesystem::path& folder) {
  Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failure("cannot open the folder " + folder.string(), errno);
  // EINVAL: a file system that knows no such thing (fsync(2)); nothing more can be done there.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return failure("cannot sync the folder " + folder.string(), errno);
  return {};
}

Status write_all(int fd, std::string_view content, const std::string& name) {
  while (!content.empty()) {
    const auto written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failure("cannot write " + name, errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status fill_and_rename(int fd, std::string_view content, const std::string& temporary, const std::filesystem::path& path) {
  if (auto status = write_all(fd, content, temporary); !status) return status;
  if (::fsync(fd) != 0) return failure("cannot sync " + temporary, errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return failure("cannot rename " + temporary + " to " + path.string(), errno);
  return {};
}

// Until there is something to read, or the writer has closed its end again. False: not within `patience` (none: for ever).
bool wait_readable(int fd, std::optional<Duration> patience) {
  pollfd waiting{fd, POLLIN, 0};
  const int milliseconds = patience ? static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(*patience).count()) : -1;
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, milliseconds);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

Result<std::optional<std::string>> RealFileSystem::read(const std::filesystem::path& path, std::uint64_t max_bytes) {
  // Without O_NONBLOCK a FIFO that nobody writes to would hold the open for ever.
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    if (errno == ENOENT) return std::optional<std::string>();
    return failure("cannot open " + path.string(), errno);
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return failure("cannot read " + path.string(), errno);
  if (S_ISDIR(status.st_mode)) return failure("cannot read " + path.string(), EISDIR);
  if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) ::fcntl(fd.get(), F_SETFL, 0);

  // The size is only a hint: files under /proc say 0, and a file may grow meanwhile.
  std::string content;
  const auto too_large = [&] {
    return Error{path.string() + " is larger than " + std::to_string(max_bytes) + " bytes", "is it the right file?"};
  };
  if (S_ISREG(status.st_mode) && static_cast<std::uint64_t>(status.st_size) > max_bytes) return too_large();
  content.resize(std::min<std::uint64_t>(static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0)), max_bytes) + 4096);
  std::size_t used = 0;
  bool writer_came = !S_ISFIFO(status.st_mode);
  while (true) {
    if (used == content.size()) content.resize(content.size() * 2);
    const auto got = ::read(fd.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {  // a pipe whose writer has nothing to say yet
      wait_readable(fd.get(), std::nullopt);
      continue;
    }
    if (got == 0 && used == 0 && !writer_came) {
      if (!wait_readable(fd.get(), pipe_patience_)) {
        return Error{"nobody writes to " + path.string() + ", a pipe", "start what fills it, or name a file"};
      }
      writer_came = true;
      continue;
    }
    if (got < 0) return failure("cannot read " + path.string(), errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > max_bytes) return too_large();
  }
  content.resize(used);
  return std::optional<std::string>(std::move(content));
}

Status RealFileSystem::replace(const std::filesystem::path& path, std::string_view content) {
  const auto folder = folder_of(path);
  if (auto status = make_private_folder(folder); !status) return status;
  std::string temporary = (folder / ".").string();
  temporary += path.filename().string() + ".XXXXXX";
  Descriptor fd(::mkostemp(temporary.data(), O_CLOEXEC));  // 0600
  if (!fd) return failure("cannot make a file in " + folder.string(), errno);
  if (auto status = fill_and_rename(fd.get(), content, temporary, path); !status) {
    ::unlink(temporary.c_str());
    return status;
  }
  return sync_folder(folder);
}

Status RealFileSystem::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failure("cannot rename " + from.string() + " to " + to.string(), errno);
  if (auto status = sync_folder(folder_of(to)); !status) return status;
  if (folder_of(from) == folder_of(to)) return {};
  return sync_folder(folder_of(from));
}

Status make_private_folder(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return {};
    return failure("cannot make the folder " + path.string(), ENOTDIR);
  }
  if (errno != ENOENT) return failure("cannot make the folder " + path.string(), errno);
  const auto parent = folder_of(path.has_filename() ? path : path.parent_path());
  if (parent != path) {
    if (auto made = make_private_folder(parent); !made) return made;
  }
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno == EEXIST) return {};  // somebody else made it meanwhile, or "a/../b" was there after all
    return failure("cannot make the folder " + path.string(), errno);
  }
  // mkdir takes the umask away from the mode; one that takes from the owner as well would leave a folder nobody can enter.
  if (::chmod(path.c_str(), 0700) != 0) return failure("cannot make the folder " + path.string() + " private", errno);
  return sync_folder(parent);
}

Status make_folder_in_public(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failure("cannot make the folder " + path.string(), errno);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return failure("cannot look at " + path.string(), errno);
  if (!S_ISDIR(status.st_mode)) return Error{path.string() + " is no folder, expected one that is this user's alone", "remove it"};
  if (status.st_uid != ::geteuid()) {
    return Error{path.string() + " belongs to user " + std::to_string(status.st_uid) + ", expected a folder that is this user's alone",
                 "have it removed"};
  }
  if ((status.st_mode & 0077) == 0) return {};
  return Error{"others may enter " + path.string() + ", expected a folder that is this user's alone",
               "look what is in it, then chmod 700 " + path.string()};
}

}  // namespace hark
