// Which children of this process are commands that somebody waits for; all others are orphans it adopted as a subreaper.
//
// reap_orphans() must never reap a command, or its waiter would learn nothing of its end. waitid(P_ALL, WNOWAIT) shows a zombie
// without taking it: one that is a command's, or that could be (a spawn is under way, its pid not known yet), is left and the
// reaping goes on as soon as that command is reaped or known. So no list of children is ever read, and with nothing to
// reap the cost is one system call. A command ends up at the head of the zombies and stays there while its tree is being ended:
// whoever ends the tree reads all processes anyway, and has those that wait behind it reaped one by one. Thread-safe.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <vector>

namespace hark {

class ChildRegistry {
 public:
  void starting();          // before a spawn
  void not_started();       // ... that failed
  void started(pid_t pid);  // ... that made `pid`
  void ended(pid_t pid);    // after it was reaped, never before: until then the number must count as a command's

  bool owns(pid_t pid);
  bool was_alone(pid_t pid);  // no other command ran at any time since this one was started
  void reap_orphans();
  void reap_orphan(pid_t pid);  // seen as a zombie and a child of this process: nothing is done for a command, or what could be one

 private:
  struct Child {
    pid_t pid;
    bool alone;
  };
  bool is_own(pid_t pid) const;
  void reap_locked();
  void take_up_again();

  std::mutex mutex_;
  std::vector<Child> own_;  // guarded by mutex_
  int starting_ = 0;        // guarded by mutex_
  bool alone_ = true;       // guarded by mutex_: of the spawn under way
  bool again_ = false;      // guarded by mutex_: a zombie was left where it stands
};

}  // namespace hark
