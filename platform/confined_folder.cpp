#include "platform/confined_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <utility>

#include "core/glob.h"
#include "core/limits.h"
#include "core/printable.h"
#include "platform/errno_text.h"

namespace hark {
namespace {

constexpr int kTries = 100;  // the kernel gives up (EAGAIN) where folders are renamed while it looks

int open_below(int folder, const std::string& path, std::uint64_t flags, std::uint64_t mode = 0) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  if ((flags & O_PATH) == 0) how.flags |= O_NOCTTY | O_NONBLOCK;  // a pipe does not hold anybody up
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int number = 1;; ++number) {
    const auto fd = syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || number == kTries) return int(fd);
  }
}

std::string shown(std::string_view path) { return "'" + printable(path, limits::kShownValue) + "'"; }

Error failure(std::string_view what, std::string_view path, int code) {
  const auto message = std::string(what) + " " + shown(path) + ": ";
  switch (code) {
    case EXDEV: return {message + "it leads out of the folder", "name a path below it; symbolic links out of it are not followed"};
    case ENOSYS: return {message + "this kernel cannot keep a path within a folder (openat2)", "Linux 5.6 or later is needed"};
    default: return {message + errno_text(code), {}};
  }
}

Status check_regular(int file, std::string_view path, struct stat& found) {
  if (fstat(file, &found) != 0) return failure("cannot look at", path, errno);
  if (!S_ISREG(found.st_mode)) return Error{shown(path) + " is no regular file", {}};
  return {};
}

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

}  // namespace

Status check_confined_path(std::string_view path) {
  if (path.empty()) return Error{"expected a path, found nothing", {}};
  if (path.find('\0') != path.npos) return Error{"the path " + shown(path) + " holds a NUL", {}};
  if (path.front() == '/') return Error{"the path " + shown(path) + " is absolute", "name it relative to the folder"};
  for (std::size_t at = 0; at <= path.size();) {
    const auto end = std::min(path.find('/', at), path.size());
    if (path.substr(at, end - at) == "..") return Error{"the path " + shown(path) + " holds a '..'", "name it relative to the folder"};
    at = end + 1;
  }
  return {};
}

Result<ConfinedFolder> ConfinedFolder::open(const std::string& path) {
  Descriptor folder(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return failure("cannot open the folder", path, errno);
  return ConfinedFolder(std::move(folder));
}

Result<std::optional<ConfinedFolder::Content>> ConfinedFolder::read(const std::string& path, std::size_t most) const {
  if (auto fine = check_confined_path(path); !fine) return fine.error();
  const Descriptor file(open_below(folder_.get(), path, O_RDONLY));
  if (!file && errno == ENOENT) return std::optional<Content>();
  if (!file) return failure("cannot read", path, errno);
  struct stat found {};
  if (auto regular = check_regular(file.get(), path, found); !regular) return regular.error();
  Content content;
  content.bytes = std::uint64_t(found.st_size);
  content.head.resize(std::min<std::uint64_t>(content.bytes, most));
  std::size_t used = 0;
  while (used < content.head.size()) {
    const auto got = ::read(file.get(), content.head.data() + used, content.head.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure("cannot read", path, errno);
    if (got == 0) break;  // it became shorter meanwhile
    used += std::size_t(got);
  }
  if (used < content.head.size()) content.bytes = used;
  content.head.resize(used);
  return std::optional(std::move(content));
}

// Of "a/b/c": "a/b". Each part is gone into from the one before, and a new one is made there.
Result<Descriptor> ConfinedFolder::parent_of(const std::string& path, bool make) const {
  const auto slash = path.rfind('/');
  if (slash == path.npos) return Descriptor(fcntl(folder_.get(), F_DUPFD_CLOEXEC, 0));
  const auto parent = path.substr(0, slash);
  Descriptor found(open_below(folder_.get(), parent, O_PATH | O_DIRECTORY));
  if (found) return found;
  if (errno != ENOENT || !make) return failure("cannot open the folder of", path, errno);
  auto above = parent_of(parent, true);
  if (!above) return above;
  const auto name = parent.substr(parent.rfind('/') == parent.npos ? 0 : parent.rfind('/') + 1);
  if (!name.empty() && mkdirat(above->get(), name.c_str(), 0777) != 0 && errno != EEXIST) return failure("cannot make the folder of", path, errno);
  // From the top again: what was put there meanwhile may be a link.
  found.reset(open_below(folder_.get(), parent, O_PATH | O_DIRECTORY));
  if (!found) return failure("cannot open the folder of", path, errno);
  return found;
}

Result<std::string> ConfinedFolder::place_of(const std::string& path) const {
  if (auto fine = check_confined_path(path); !fine) return fine.error();
  const auto trimmed = path.substr(0, path.find_last_not_of('/') + 1);
  const auto name = trimmed.substr(trimmed.rfind('/') + 1);
  if (name == ".") return Error{"the path " + shown(path) + " is the folder itself", "name one within it"};
  const auto above = parent_of(trimmed, true);
  if (!above) return above.error();
  struct stat found {};
  if (fstatat(above->get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(found.st_mode)) return Error{shown(path) + " is a symbolic link", {}};
  std::error_code failed;
  const auto folder = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(above->get()), failed);
  if (failed) return Error{"cannot tell where " + shown(path) + " is: " + failed.message(), {}};
  return (folder / name).string();
}

Status ConfinedFolder::write(const std::string& path, std::string_view content, How how) const {
  if (auto fine = check_confined_path(path); !fine) return fine;
  if (auto parent = parent_of(path, true); !parent) return parent.error();
  const Descriptor file(open_below(folder_.get(), path, O_WRONLY | O_CREAT | (how == How::append ? O_APPEND : 0), 0666));
  if (!file) return failure("cannot write", path, errno);
  struct stat found {};
  if (auto regular = check_regular(file.get(), path, found); !regular) return regular;
  if (how == How::replace && ftruncate(file.get(), 0) != 0) return failure("cannot write", path, errno);
  while (!content.empty()) {
    const auto put = ::write(file.get(), content.data(), content.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return failure("cannot write", path, errno);
    content.remove_prefix(std::size_t(put));
  }
  return {};
}

// Itself, or by a link that stays within.
bool ConfinedFolder::is_file(const std::string& path, const struct stat& status) const {
  if (!S_ISLNK(status.st_mode)) return S_ISREG(status.st_mode);
  const Descriptor target(open_below(folder_.get(), path, O_PATH));
  struct stat found {};
  return target && fstat(target.get(), &found) == 0 && S_ISREG(found.st_mode);
}

Result<std::vector<std::string>> ConfinedFolder::find(const Glob& glob, std::size_t most) const {
  std::vector<std::string> found;
  std::vector<std::string> waiting{""};
  while (!waiting.empty()) {
    const auto folder = std::move(waiting.back());
    waiting.pop_back();
    const int fd = open_below(folder_.get(), folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) continue;  // gone, or another thing, since it was listed
    if (fd < 0) return failure("cannot list", folder.empty() ? "." : folder, errno);
    const std::unique_ptr<DIR, CloseFolder> listing(fdopendir(fd));
    if (listing == nullptr) {
      close(fd);
      return failure("cannot list", folder, errno);
    }
    while (const auto* entry = readdir(listing.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      const auto path = folder.empty() ? name : folder + "/" + name;
      struct stat status {};
      if (fstatat(dirfd(listing.get()), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone
      if (S_ISDIR(status.st_mode)) {
        waiting.push_back(path);
      } else if (glob.matches(path) && is_file(path, status)) {
        if (found.size() == most) return Error{"more than " + std::to_string(most) + " files match " + shown(glob.pattern()), "name fewer"};
        found.push_back(path);
      }
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace hark
