// What is to be masked now. A reload adds to it and takes nothing away: runs that began before know what was a secret then. As many as the
// configurations of one daemon's life named. Any thread.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/mask.h"

namespace hark {

class Secrets {
 public:
  void add(const std::vector<std::string>& secrets) {
    std::lock_guard lock(mutex_);
    known_.insert(secrets.begin(), secrets.end());
    mask_ = Mask({known_.begin(), known_.end()});
  }
  Mask mask() const {
    std::lock_guard lock(mutex_);
    return mask_;
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::string> known_;  // guarded by mutex_, as the next
  Mask mask_;
};

}  // namespace hark
