// The kernel's fanotify: one mark a file system, whatever number of folders. Needs CAP_SYS_ADMIN, Linux 5.17 and file systems that know
// their files by handles (name_to_handle_at(2)). Rules: fanotify(7), fanotify_mark(2).
//
// It tells what happens anywhere on the file system: what is in no folder that was added is dropped here, which costs a look-up. What
// the kernel merged into one event comes as those it stands for, in the order in which they make sense. A folder that is deleted is not
// told of by itself, only by the folder it was in. The folders above the root, and the root's own end, are watched by an inotify within.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "core/result.h"
#include "platform/descriptor.h"
#include "sources/inotify.h"
#include "sources/notifier.h"

namespace hark {

class Fanotify final : public Notifier {
 public:
  // The error says what the process lacks.
  static Result<std::unique_ptr<Fanotify>> open();

  int descriptor() const override { return both_.get(); }
  int add(const std::string& path, std::uint32_t mask) override;
  void remove(int watch) override;
  bool read(const std::function<void(const Event&)>& on_event) override;
  bool empty() const override;

 private:
  using Handle = std::string;  // of a folder: its file system's id, the handle's type and bytes

  Fanotify(Descriptor queue, Inotify inotify, Descriptor both);
  int mark(const std::string& path, const Handle& file_system);
  int watch_of(const Handle& handle) const;
  bool read_queue(const std::function<void(const Event&)>& on_event);

  Descriptor queue_;
  Inotify inotify_;
  Descriptor both_;  // an epoll of the two
  std::unordered_map<Handle, int> watches_;
  std::unordered_map<int, const Handle*> handles_;
  std::unordered_map<int, int> own_;  // of the folders whose end inotify tells: its number -> ours
  std::set<Handle> marked_;           // file systems
  int next_ = 1 << 30;                // inotify's own begin with 1
  std::uint32_t cookies_ = 0;
};

}  // namespace hark
