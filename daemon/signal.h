// Signals: what an event of the bus does to the session (the correlation id) that it names, beside starting handlers. One class each; a
// configuration says of which type of event which of them is.
//
// A signal acts in the transaction that stores its event, so once, whatever becomes of the process. One that comes again finds nothing more to
// do and says so. Loop thread only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/result.h"

namespace hark {

// What a signal can do. An Error is the journal's: the transaction is to be rolled back.
class SignalDesk {
 public:
  virtual ~SignalDesk() = default;
  virtual Status say(std::string what) = 0;                              // a decision about the event
  virtual Status pause(const std::string& session) = 0;                  // its runs that wait stay put
  virtual Status resume(const std::string& session) = 0;
  virtual Status release(const std::string& session, const std::string& gate) = 0;  // runs that wait at this gate (empty: any) go on
  virtual Status try_again(const std::string& session, const std::string& run, int attempts, const std::string& escalate) = 0;  // run: empty: its last
  virtual Status start(const std::string& handler) = 0;                  // for the event, whatever the rules say
  virtual Status halt() = 0;                                             // everything, at once
};

class Signal {
 public:
  virtual ~Signal() = default;
  // May throw: its message then stands in the dead letters.
  virtual Status act(const Event& event, SignalDesk& desk) const = 0;
};

struct SignalOptions {
  std::string type;      // of the events
  std::string action;    // one of signal_actions()
  int attempts = 3;      // of "retry"
  std::string escalate{};  // the handler that is told; empty: none
  friend bool operator==(const SignalOptions&, const SignalOptions&) = default;
};

std::vector<std::string> signal_actions();
bool halts(std::string_view action);  // it is about everything, not about one session
bool escalates(std::string_view action);
std::shared_ptr<const Signal> make_signal(const SignalOptions& options);  // null: there is no such action

}  // namespace hark
