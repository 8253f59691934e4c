#include "sources/inotify_hub.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "platform/errno_text.h"
#include "platform/loop.h"

namespace hark {

Result<std::shared_ptr<InotifyHub>> InotifyHub::make(Loop& loop) {
  const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) {
    const std::string why = errno_text(errno);
    return Error{"inotify cannot be used: " + why, "raise the limits: sysctl fs.inotify.max_user_instances=1024, ulimit -n"};
  }
  std::shared_ptr<InotifyHub> hub(new InotifyHub(fd));
  hub->readable_ = loop.watch(fd, [self = hub.get()] { self->read(); });
  return hub;
}

InotifyHub::InotifyHub(int fd) : fd_(fd) {}

InotifyHub::~InotifyHub() {
  readable_.reset();
  close(fd_);
}

int InotifyHub::add(const std::filesystem::path& folder, std::uint32_t mask, Listener& listener) {
  const int descriptor = inotify_add_watch(fd_, folder.c_str(), mask | IN_MASK_ADD);
  if (descriptor >= 0) listeners_[descriptor].insert(&listener);
  return descriptor;
}

void InotifyHub::remove(int descriptor, Listener& listener) {
  const auto found = listeners_.find(descriptor);
  if (found == listeners_.end()) return;
  found->second.erase(&listener);
  if (!found->second.empty()) return;
  inotify_rm_watch(fd_, descriptor);
  listeners_.erase(found);
}

void InotifyHub::read() {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  ssize_t size = 0;
  while ((size = ::read(fd_, buffer.data(), buffer.size())) > 0) {
    for (const char* at = buffer.data(); at < buffer.data() + size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      tell(event->wd, event->mask, event->len > 0 ? event->name : "");
      at += sizeof(inotify_event) + event->len;
    }
  }
}

void InotifyHub::tell(int descriptor, std::uint32_t mask, const char* name) {
  std::set<Listener*> all;
  if ((mask & IN_Q_OVERFLOW) != 0) {
    for (const auto& [_, some] : listeners_) all.insert(some.begin(), some.end());
  } else if (const auto found = listeners_.find(descriptor); found != listeners_.end()) {
    all = found->second;
    if ((mask & IN_IGNORED) != 0) listeners_.erase(found);
  }
  for (Listener* listener : all) listener->heard(descriptor, mask, name);
}

}  // namespace hark
