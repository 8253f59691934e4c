// Signals as events of the loop (signalfd).
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

#include "platform/loop.h"

namespace hark {

// Blocks the signals hark waits for, for this thread and those it will make; before the first of them. SIGPIPE is ignored as well:
// a peer that went away is an error of the write, not the end of the process.
void block_signals(std::initializer_list<int> signals);

class Signals {
 public:
  // Calls `callback` on the loop for each of these signals that arrives.
  Signals(Loop& loop, std::initializer_list<int> signals, std::function<void(int signal)> callback);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  int fd_ = -1;
  std::unique_ptr<ReadableWatch> watch_;
};

}  // namespace hark
