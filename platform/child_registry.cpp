#include "platform/child_registry.h"

#include <sys/wait.h>

#include <algorithm>

namespace hark {

void ChildRegistry::starting() {
  std::lock_guard lock(mutex_);
  alone_ = own_.empty() && starting_ == 0;
  ++starting_;
  for (auto& child : own_) child.alone = false;
}

void ChildRegistry::not_started() {
  std::lock_guard lock(mutex_);
  --starting_;
  take_up_again();
}

void ChildRegistry::started(pid_t pid) {
  std::lock_guard lock(mutex_);
  --starting_;
  own_.push_back({pid, alone_});
  take_up_again();
}

void ChildRegistry::ended(pid_t pid) {
  std::lock_guard lock(mutex_);
  std::erase_if(own_, [pid](const Child& child) { return child.pid == pid; });
  take_up_again();
}

bool ChildRegistry::owns(pid_t pid) {
  std::lock_guard lock(mutex_);
  return is_own(pid);
}

bool ChildRegistry::was_alone(pid_t pid) {
  std::lock_guard lock(mutex_);
  return starting_ == 0 &&
         std::any_of(own_.begin(), own_.end(), [pid](const Child& child) { return child.pid == pid && child.alone; });
}

void ChildRegistry::reap_orphans() {
  std::lock_guard lock(mutex_);
  reap_locked();
}

void ChildRegistry::reap_orphan(pid_t pid) {
  std::lock_guard lock(mutex_);
  if (starting_ > 0 || is_own(pid)) return;
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);  // ECHILD: somebody else was first
}

bool ChildRegistry::is_own(pid_t pid) const {
  return std::any_of(own_.begin(), own_.end(), [pid](const Child& child) { return child.pid == pid; });
}

void ChildRegistry::take_up_again() {
  if (again_ && starting_ == 0) reap_locked();
}

void ChildRegistry::reap_locked() {
  again_ = false;
  while (true) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    const pid_t pid = info.si_pid;
    if (starting_ > 0 || is_own(pid)) {
      again_ = true;
      return;
    }
    waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);
  }
}

}  // namespace hark
