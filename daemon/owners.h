// Whose work in the journal is: of processes that died, or that live beside this one (`hark event`).
#pragma once

#include <string>

#include "state/journal.h"

namespace hark {

// What hooks' commands of a process are marked by (reporters/hook_desk.h).
inline std::string asker_name(const Owner& owner) { return std::to_string(owner.pid) + "-" + std::to_string(owner.start_time); }

// Another process's that lives: that one sees to it. What one owner has stands in a row: the last answer is remembered.
class Elsewhere {
 public:
  explicit Elsewhere(const Owner& self) : self_(self) {}
  bool operator()(const Owner& owner) {
    if (owner.pid != last_.pid || owner.start_time != last_.start_time || owner.boot_id != last_.boot_id) {
      last_ = owner;
      lives_ = owner.pid != self_.pid && is_alive(owner);
    }
    return lives_;
  }

 private:
  const Owner& self_;
  Owner last_;
  bool lives_ = false;
};

}  // namespace hark
