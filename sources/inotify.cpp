#include "sources/inotify.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

#include "core/limits.h"

namespace hark {
namespace {

// fs.inotify.NAME as it stands; 0: unknown.
std::uint64_t kernel_limit(const char* name) {
  const int file = ::open((std::string("/proc/sys/fs/inotify/") + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[32] = {};
  const auto length = ::read(file, text, sizeof text - 1);
  ::close(file);
  return length > 0 ? std::strtoull(text, nullptr, 10) : 0;
}

std::string raise(const char* name, std::uint64_t at_least) {
  const auto limit = kernel_limit(name);
  const auto better = std::to_string(std::max(2 * limit, at_least));
  const std::string setting = std::string("fs.inotify.") + name;
  return "raise " + setting + (limit > 0 ? " (now " + std::to_string(limit) + ")" : "") + ": sysctl -w " + setting + "=" + better;
}

std::string describe(int error) { return std::system_category().message(error); }

}  // namespace

Result<Inotify> Inotify::open() {
  const int descriptor = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (descriptor >= 0) return Inotify(descriptor);
  const int error = errno;
  Error failure{"inotify cannot be opened: " + describe(error), ""};
  if (error != EMFILE) return failure;
  // EMFILE says two things: the user's instances are used up, or this process' descriptors are. A second one tells them apart.
  const int probe = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (probe < 0) {
    failure.cure = "raise the limit of open files (ulimit -n, or LimitNOFILE= of the service)";
  } else {
    ::close(probe);
    failure.cure = raise("max_user_instances", 512);
  }
  return failure;
}

Inotify::Inotify(int descriptor) : descriptor_(descriptor) {}
Inotify::Inotify(Inotify&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
Inotify& Inotify::operator=(Inotify&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
Inotify::~Inotify() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int Inotify::add(const std::string& path, std::uint32_t mask) {
  const int watch = inotify_add_watch(descriptor_, path.c_str(), mask);
  return watch >= 0 ? watch : -errno;
}

void Inotify::remove(int watch) { inotify_rm_watch(descriptor_, watch); }

bool Inotify::read(const std::function<void(const Event&)>& on_event) {
  alignas(inotify_event) char buffer[limits::kInotifyRead];
  const auto length = ::read(descriptor_, buffer, sizeof buffer);
  if (length <= 0) return false;  // EAGAIN; an error on an inotify descriptor we own cannot be anything else
  const auto end = static_cast<std::size_t>(length);
  for (std::size_t at = 0; at < end;) {
    inotify_event raw;
    std::memcpy(&raw, buffer + at, sizeof raw);
    const char* name = buffer + at + sizeof raw;  // padded with NULs to raw.len
    on_event({raw.wd, raw.mask, raw.cookie, {name, raw.len > 0 ? strnlen(name, raw.len) : 0}});
    at += sizeof raw + raw.len;
  }
  return end + sizeof(inotify_event) + NAME_MAX + 1 > sizeof buffer;
}

bool Inotify::empty() const {
  int bytes = 0;
  return ioctl(descriptor_, FIONREAD, &bytes) == 0 && bytes == 0;
}

Error watch_error(int error, const std::string& path) {
  Error failure{"cannot watch " + path + ": " + describe(error), ""};
  if (error == ENOSPC) {
    failure.message = "cannot watch " + path + ": the user's inotify watches are used up";
    failure.cure = raise("max_user_watches", 524'288);
  } else if (error == EACCES) {
    failure.cure = "let the daemon's user read it, or exclude it with a \"!" + std::string("glob\" in `pattern`");
  } else if (error == ENAMETOOLONG) {
    failure.cure = "exclude it with a \"!glob\" in `pattern`";
  }
  return failure;
}

std::string queue_cure() { return raise("max_queued_events", 65'536); }

}  // namespace hark
