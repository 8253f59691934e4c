// `hark daemon --background`: the caller gets its prompt back when the daemon is ready, or the reason why it is not.
#pragma once

#include <sys/types.h>

#include <optional>

#include "core/result.h"

namespace hark {

// Call before any thread is made. The process that called it waits for the daemon and returns its exit status (`parent_exit`); the
// daemon returns from the call in a session of its own, without a terminal.
class Background {
 public:
  static Result<Background> begin();

  std::optional<int> parent_exit() const { return parent_exit_; }
  pid_t daemon() const { return daemon_; }  // in the parent
  void ready();   // the parent goes: standard output and error are the daemon's own log from here on, standard input is empty

 private:
  std::optional<int> parent_exit_;
  pid_t daemon_ = 0;
  int report_ = -1;  // to the parent; closing it without a word means that the daemon did not begin
};

}  // namespace hark
