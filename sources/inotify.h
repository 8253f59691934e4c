// The kernel's inotify: a watch a folder, for whoever may read it. Rules: inotify(7), inotify_add_watch(2).
#pragma once

#include <string>

#include "core/result.h"
#include "sources/notifier.h"

namespace hark {

class Inotify final : public Notifier {
 public:
  // Non-blocking, close-on-exec. The error tells which limit is in the way and how to raise it.
  static Result<Inotify> open();

  Inotify(Inotify&& other) noexcept;
  Inotify& operator=(Inotify&& other) noexcept;
  ~Inotify() override;

  int descriptor() const override { return descriptor_; }
  int add(const std::string& path, std::uint32_t mask) override;
  void remove(int watch) override;
  bool read(const std::function<void(const Event&)>& on_event) override;
  bool empty() const override;

 private:
  explicit Inotify(int descriptor);
  int descriptor_ = -1;
};

// Why a folder could not be watched, from Inotify::add's errno, with the cure for limits and permissions.
Error watch_error(int error, const std::string& path);
// The cure for a queue that overflowed.
std::string queue_cure();

}  // namespace hark
