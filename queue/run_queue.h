// What waits for a slot: by priority, then in the order of arrival, a line a handler, so that one that is busy or paused does not hold
// up the others. Pure, loop thread only.
//
// The journal has every waiting run; the queue holds the events of the first `events_in_memory` and drops the rest from memory, to
// be read again when their turn comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/event.h"
#include "core/run.h"
#include "queue/slots.h"

namespace hark {

class RunQueue {
 public:
  RunQueue(int cap, std::size_t events_in_memory) : slots_(cap), events_in_memory_(events_in_memory) {}

  Slots& slots() { return slots_; }
  const Slots& slots() const { return slots_; }

  struct Waiting {
    Run run;
    EventPtr event;  // null: only in the journal
  };
  void push(Waiting waiting);

  struct Ready {
    Waiting waiting;
    Slot slot;
  };
  std::optional<Ready> take();                          // the first that may run
  std::optional<Waiting> remove(std::string_view run_id);  // cancelled before it began
  void clear();                                         // all are about to be read again from the journal

  void pause(const std::string& handler) { paused_.insert(handler); }   // empty name: every handler
  void resume(const std::string& handler);
  bool paused(const std::string& handler) const { return paused_.contains("") || paused_.contains(handler); }

  std::size_t size() const { return size_; }
  std::size_t size(const std::string& handler) const;
  std::size_t in_memory() const { return in_memory_; }

 private:
  // Highest priority first, then the oldest.
  using Order = std::pair<int, std::uint64_t>;
  using Line = std::map<Order, Waiting>;

  Waiting extract(Line& line, Line::iterator position);

  Slots slots_;
  const std::size_t events_in_memory_;
  std::map<std::string, Line, std::less<>> lines_;  // no empty ones
  std::set<std::string> paused_;
  std::size_t size_ = 0;
  std::size_t in_memory_ = 0;
};

}  // namespace hark
