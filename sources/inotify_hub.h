// One inotify instance for any number of watchers of folders: the kernel gives a user 128 instances by default (inotify(7),
// max_user_instances), and a source may watch more repositories than that.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <unordered_map>

#include "core/result.h"

namespace hark {

class Loop;
class ReadableWatch;

// Owned by the loop thread. Not moved: the loop holds its address.
class InotifyHub {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // As inotify(7) tells it; a queue that overflowed (mask IN_Q_OVERFLOW, descriptor -1) is told to all. Must not destroy a listener.
    virtual void heard(int descriptor, std::uint32_t mask, const char* name) = 0;
  };

  static Result<std::shared_ptr<InotifyHub>> make(Loop& loop);
  ~InotifyHub();
  InotifyHub(const InotifyHub&) = delete;
  InotifyHub& operator=(const InotifyHub&) = delete;

  // The watch's descriptor; -1: errno says why not. A folder that is watched already is watched for both: a listener hears what it did not
  // ask for, too.
  int add(const std::filesystem::path& folder, std::uint32_t mask, Listener& listener);
  void remove(int descriptor, Listener& listener);  // each before the listener goes

 private:
  explicit InotifyHub(int fd);
  void read();
  void tell(int descriptor, std::uint32_t mask, const char* name);

  const int fd_;
  std::unordered_map<int, std::set<Listener*>> listeners_;  // by descriptor
  std::unique_ptr<ReadableWatch> readable_;                 // goes before fd_ is closed
};

}  // namespace hark
