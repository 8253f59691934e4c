// Files that somebody is writing: their change is told when the writer closes them, or when it has waited long enough.
//
// Without it `echo x > new` were two events (created empty, then modified), and a handler would start on half a file; and a log
// that is never closed would never be told. Pure: time is an argument. Paths are relative to the watched root.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/time.h"

namespace hark {

class UnsettledFiles {
 public:
  enum class State {
    created,   // new, not told yet
    modified,  // written to, not told yet
    told,      // told while it was still open: its close is news only if it was written to since
  };

  // A new file, to be told at `due` unless it is closed before. `stays_open`: it was seen to be opened, so that a close must come
  // after it is told, too. For a file that is waiting already the later of both moments holds.
  void created(const std::string& path, SteadyTime due, bool stays_open);
  // Written to. One that waits already keeps its moment, so that a file written without pause is told again and again.
  void modified(const std::string& path, SteadyTime due);
  void told(const std::string& path);

  // Forgets the file and says what it was; nullopt: it was not here.
  std::optional<State> take(const std::string& path);
  std::optional<State> state(const std::string& path) const;

  void take_all(const std::function<void(const std::string& path, State)>& taken);
  void move_below(const std::string& folder, const std::string& to);

  // Tells what is due: created or modified.
  void tell(SteadyTime now, const std::function<void(const std::string& path, State)>& due);
  // When to call tell() next: not after the first is due (but perhaps before, where what was due first has been taken).
  std::optional<SteadyTime> next() const { return next_; }

 private:
  struct Waiting {
    State state;
    SteadyTime due;
    bool stays_open;
  };
  void wait_until(SteadyTime due);

  std::map<std::string, Waiting> files_;
  std::optional<SteadyTime> next_;
};

}  // namespace hark
