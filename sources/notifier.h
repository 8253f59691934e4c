// What tells of changes in folders: the kernel's inotify or fanotify, in the words of inotify(7). Owns its descriptor, adds and removes
// watches, reads what happened. Interprets nothing (tree_events does). Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace hark {

class Notifier {
 public:
  struct Event {
    int watch = -1;            // -1: the queue overflowed
    std::uint32_t mask = 0;    // IN_*
    std::uint32_t cookie = 0;  // binds the two halves of a move
    std::string_view name;     // of the entry inside the watched folder; empty: the folder itself. Valid within the callback.
    bool unclear = false;      // the entry came and went, in which order the kernel does not say; `mask` means nothing then
  };

  virtual ~Notifier() = default;

  virtual int descriptor() const = 0;  // readable: something happened

  // The watch's number, the same one for the same inode; or minus errno. `mask`: IN_* of inotify_add_watch(2).
  virtual int add(const std::string& path, std::uint32_t mask) = 0;
  virtual void remove(int watch) = 0;  // fine for one the kernel has dropped already

  // Reads once. False: the queue was empty then. (A read that leaves room for one more event has emptied it.)
  virtual bool read(const std::function<void(const Event&)>& on_event) = 0;
  virtual bool empty() const = 0;  // nothing has happened that was not read
};

}  // namespace hark
