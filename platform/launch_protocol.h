// What hark and its helper hark-launch (launch/main.cpp) say to each other.
//
//   hark-launch VERSION WORD... -- PROGRAM ARGV0 ARGV...
//
// The words are done in the order in which they stand, then the program becomes the process. A word is "name=value", numbers in decimal:
//
//   cgroup=FOLDER            join it, by a "0" in its cgroup.procs
//   rlimit=WHICH:SOFT:HARD   setrlimit(2)
//   nice=N  umask=N  groups=N,N,...  gid=N  uid=N
//   ignore-term  default-term   what SIGTERM does from here on, over an exec(3) too
//   hand-on                  the report stays open for another hark-launch within
//   reached                  report kReached
//
// The report is a pipe at descriptor 3, closed by the exec of the program: an empty one is a success. After a failed word or exec the helper
// writes one LaunchReport and exits.
#pragma once

namespace hark {

inline constexpr char kLaunchVersion[] = "1";
inline constexpr int kLaunchReport = 3;  // the descriptor
inline constexpr int kLaunchFailed = 125;

struct LaunchReport {
  static constexpr int kExec = -1;       // the program could not be started
  static constexpr int kReached = -2;
  static constexpr int kMisunderstood = -3;  // another version, or a word that is none
  int word = 0;   // which one failed, from 0; or one of the above
  int error = 0;  // errno
};

}  // namespace hark
