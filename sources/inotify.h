// The kernel's inotify: owns one descriptor, adds and removes watches, reads what happened. Interprets nothing (tree_watch does).
// Loop thread only. Rules: inotify(7), inotify_add_watch(2).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace hark {

class Inotify {
 public:
  struct Event {
    int watch = -1;            // -1: the queue overflowed
    std::uint32_t mask = 0;    // IN_*
    std::uint32_t cookie = 0;  // binds the two halves of a move
    std::string_view name;     // of the entry inside the watched folder; empty: the folder itself. Valid within the callback.
  };

  // Non-blocking, close-on-exec. The error tells which limit is in the way and how to raise it.
  static Result<Inotify> open();

  Inotify(Inotify&& other) noexcept;
  Inotify& operator=(Inotify&& other) noexcept;
  ~Inotify();

  int descriptor() const { return descriptor_; }

  // The watch's number, the same one for the same inode; or minus errno.
  int add(const std::string& path, std::uint32_t mask);
  void remove(int watch);  // fine for one the kernel has dropped already

  // Reads once. False: the queue was empty then. (A read that leaves room for one more event has emptied it.)
  bool read(const std::function<void(const Event&)>& on_event);
  bool empty() const;  // nothing has happened that was not read

 private:
  explicit Inotify(int descriptor);
  int descriptor_ = -1;
};

// Why a folder could not be watched, from Inotify::add's errno, with the cure for limits and permissions.
Error watch_error(int error, const std::string& path);
// The cure for a queue that overflowed.
std::string queue_cure();

}  // namespace hark
