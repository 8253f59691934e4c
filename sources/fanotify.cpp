#include "sources/fanotify.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/limits.h"

namespace hark {
namespace {

constexpr std::uint64_t kMask = FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ONDIR;

template <class T>
void append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string handle_of(const void* file_system, const file_handle& handle) {
  std::string bytes(static_cast<const char*>(file_system), sizeof(fsid_t));
  append(bytes, handle.handle_type);
  return bytes.append(reinterpret_cast<const char*>(handle.f_handle), handle.handle_bytes);
}

struct Place {  // a folder, and the name of an entry in it
  std::string folder;
  std::string name;
};

// fanotify_event_info_fid: a header, the file system's id, a handle, and behind it the name.
Place place_of(const char* record, std::size_t length) {
  fanotify_event_info_fid info;
  std::memcpy(&info, record, sizeof info);
  const char* at = record + sizeof info;
  const auto& handle = *reinterpret_cast<const file_handle*>(at);
  const char* name = at + sizeof handle + handle.handle_bytes;
  const auto room = static_cast<std::size_t>(record + length - name);
  std::string text(name, strnlen(name, room));
  return {handle_of(&info.fsid, handle), text == "." ? std::string() : std::move(text)};
}

Error not_permitted(int error) {
  Error failure{"fanotify cannot be used: " + std::system_category().message(error), ""};
  if (error == EPERM) failure.cure = "run hark with CAP_SYS_ADMIN (AmbientCapabilities= of the service), or leave `backend` at \"auto\"";
  if (error == EINVAL) failure.cure = "it takes Linux 5.17; leave `backend` at \"auto\"";
  return failure;
}

}  // namespace

Result<std::unique_ptr<Fanotify>> Fanotify::open() {
  Descriptor queue(fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME_TARGET | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY));
  if (!queue) return not_permitted(errno);
  auto inotify = Inotify::open();
  if (!inotify) return inotify.error();
  Descriptor both(epoll_create1(EPOLL_CLOEXEC));
  if (!both) return Error{"epoll cannot be opened: " + std::system_category().message(errno), ""};
  for (const int each : {queue.get(), inotify->descriptor()}) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    if (epoll_ctl(both.get(), EPOLL_CTL_ADD, each, &wanted) != 0) {
      return Error{"epoll cannot be used: " + std::system_category().message(errno), ""};
    }
  }
  return std::unique_ptr<Fanotify>(new Fanotify(std::move(queue), std::move(*inotify), std::move(both)));
}

Fanotify::Fanotify(Descriptor queue, Inotify inotify, Descriptor both)
    : queue_(std::move(queue)), inotify_(std::move(inotify)), both_(std::move(both)) {}

int Fanotify::add(const std::string& path, std::uint32_t mask) {
  constexpr std::uint32_t kOwnEnd = IN_DELETE_SELF | IN_MOVE_SELF;
  if ((mask & IN_CLOSE_WRITE) == 0) return inotify_.add(path, mask);  // a folder above the root
  alignas(file_handle) char bytes[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto& handle = *new (bytes) file_handle;
  handle.handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  const bool follow = (mask & IN_DONT_FOLLOW) == 0;
  if (name_to_handle_at(AT_FDCWD, path.c_str(), &handle, &mount, follow ? AT_SYMLINK_FOLLOW : 0) != 0) return -errno;
  struct statfs place;
  if (statfs(path.c_str(), &place) != 0) return -errno;
  auto key = handle_of(&place.f_fsid, handle);
  if (const int error = mark(path, key.substr(0, sizeof(fsid_t))); error != 0) return -error;
  const auto [at, added] = watches_.try_emplace(std::move(key), next_);
  if (added) handles_.emplace(next_++, &at->first);
  if ((mask & kOwnEnd) != 0) {
    const int own = inotify_.add(path, (mask & kOwnEnd) | IN_ONLYDIR);
    if (own < 0) return own;
    own_[own] = at->second;
  }
  return at->second;
}

int Fanotify::mark(const std::string& path, const Handle& file_system) {
  if (marked_.contains(file_system)) return 0;
  if (fanotify_mark(queue_.get(), FAN_MARK_ADD | FAN_MARK_FILESYSTEM, kMask, AT_FDCWD, path.c_str()) != 0) return errno;
  marked_.insert(file_system);
  return 0;
}

void Fanotify::remove(int watch) {
  const auto known = handles_.find(watch);
  if (known == handles_.end()) return inotify_.remove(watch);
  const Handle handle = *known->second;
  handles_.erase(known);
  watches_.erase(handle);
}

int Fanotify::watch_of(const Handle& handle) const {
  const auto known = watches_.find(handle);
  return known == watches_.end() ? -1 : known->second;
}

bool Fanotify::read(const std::function<void(const Event&)>& on_event) {
  const bool more = read_queue(on_event);
  const bool more_own = inotify_.read([&](const Event& event) {
    const auto own = own_.find(event.watch);
    auto translated = event;
    if (own != own_.end()) translated.watch = own->second;
    on_event(translated);
  });
  return more || more_own;
}

bool Fanotify::read_queue(const std::function<void(const Event&)>& on_event) {
  alignas(fanotify_event_metadata) char buffer[limits::kInotifyRead];
  const auto length = ::read(queue_.get(), buffer, sizeof buffer);
  if (length <= 0) return false;
  const auto tell = [&](const Place& place, std::uint32_t mask, std::uint32_t cookie) {
    if (const int watch = watch_of(place.folder); watch >= 0) on_event({watch, mask, cookie, place.name});
  };
  auto left = length;
  for (auto* event = reinterpret_cast<const fanotify_event_metadata*>(buffer); FAN_EVENT_OK(event, left); event = FAN_EVENT_NEXT(event, left)) {
    if ((event->mask & FAN_Q_OVERFLOW) != 0) on_event({-1, IN_Q_OVERFLOW, 0, {}});
    Place place, to;
    const char* end = reinterpret_cast<const char*>(event) + event->event_len;
    for (const char* record = reinterpret_cast<const char*>(event) + event->metadata_len; record < end;) {
      fanotify_event_info_header header;
      std::memcpy(&header, record, sizeof header);
      const bool second = header.info_type == FAN_EVENT_INFO_TYPE_NEW_DFID_NAME;
      const bool known = second || header.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME || header.info_type == FAN_EVENT_INFO_TYPE_OLD_DFID_NAME;
      if (known) (second ? to : place) = place_of(record, header.len);
      record += header.len;
    }
    const std::uint32_t folder = (event->mask & FAN_ONDIR) != 0 ? IN_ISDIR : 0;
    if ((event->mask & FAN_RENAME) != 0) {
      ++cookies_;
      tell(place, IN_MOVED_FROM | folder, cookies_);
      tell(to, IN_MOVED_TO | folder, cookies_);
      continue;
    }
    // The kernel makes one event of all that the same process does to one file under one name.
    if ((event->mask & FAN_DELETE) != 0 && (event->mask & FAN_CREATE) != 0) {
      if (const int watch = watch_of(place.folder); watch >= 0) on_event({watch, folder, 0, place.name, true});
      continue;
    }
    if ((event->mask & FAN_CREATE) != 0) tell(place, IN_CREATE | folder, 0);
    if ((event->mask & FAN_MODIFY) != 0) tell(place, IN_MODIFY | folder, 0);
    if ((event->mask & FAN_CLOSE_WRITE) != 0) tell(place, IN_CLOSE_WRITE | folder, 0);
    if ((event->mask & FAN_DELETE) != 0) tell(place, IN_DELETE | folder, 0);
  }
  return static_cast<std::size_t>(length) + limits::kFanotifyEvent > sizeof buffer;
}

bool Fanotify::empty() const {
  int bytes = 0;
  return inotify_.empty() && ioctl(queue_.get(), FIONREAD, &bytes) == 0 && bytes == 0;
}

}  // namespace hark
