// The log: lifecycle events and what else the daemon has to say, as text for people or JSON for machines, one line each.
//
// Where standard error is journald's each line has its priority, and no time: journald has that.
//
// What repeats itself is bounded: of each kind of event and its source or handler so many lines a second, and one that tells how many more.
//
// Lines with ids bear event=, run= and correlation=. What came from outside is escaped: no event can forge a line or move a cursor.
// Writing blocks where the terminal or the disk does: the daemon gives it a thread of its own (reporters/detached.h).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/lifecycle.h"
#include "core/result.h"
#include "platform/clock.h"
#include "platform/secrets.h"

namespace hark {

struct LogOptions {
  std::string level = "info";    // "trace" | "debug" | "info" | "warn" | "error" | "off"
  std::string format = "text";   // "text" | "json"
  std::filesystem::path file;    // empty: standard error
  std::size_t repeats = 0;       // lines of one kind a second (line_limit.h); 0: all
};

class Log {
 public:
  // No line holds what is a secret then. Clock and secrets must outlive the log.
  static Result<std::unique_ptr<Log>> open(const LogOptions& options, const Clock& clock, const Secrets& secrets);
  ~Log();

  bool wants(const lifecycle::Any& event) const;  // any thread: is its level one that is written?
  void report(const lifecycle::Any& event);       // a subscriber
  void set_level(const std::string& level);       // any thread
  void set_repeats(std::size_t repeats);          // any thread

 private:
  struct Line;
  void write(Line line);
  void tell_left_out(bool all);

  struct State;
  explicit Log(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hark
