#include "platform/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "platform/errno_text.h"
#include "platform/file_system.h"

namespace hark {

Result<LockFile> LockFile::take(const std::filesystem::path& path) {
  if (auto made = make_private_folder(path.parent_path()); !made) return made.error();
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Error{"cannot open " + path.string() + ": " + errno_text(errno), "give this user write access to the folder"};
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char text[32] = {};
    const auto length = pread(fd, text, sizeof text - 1, 0);
    close(fd);
    const std::string pid = length > 0 ? std::string(text, std::size_t(length)) : "unknown\n";
    return Error{"another hark daemon (process " + pid.substr(0, pid.find('\n')) + ") works on this journal",
                 "stop it with `hark daemon stop`, or give this one a journal_file of its own"};
  }
  const auto pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) != ssize_t(pid.size())) {
    // The lock is what counts; the pid is for people.
  }
  return LockFile(fd);
}

LockFile::LockFile(LockFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
LockFile::~LockFile() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace hark
