// The router: who wants an event, and when. Pure: it takes the event and the time and returns what was decided, each decision with
// its reason. The engine journals the answer; nothing here does I/O, logs, or knows a thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/decision.h"
#include "core/event.h"
#include "core/time.h"
#include "router/debounce.h"
#include "router/rule.h"

namespace hark {

class Router {
 public:
  explicit Router(std::vector<Rule> rules);

  // A handler is to run for an event.
  struct Start {
    EventPtr event;
    std::string handler;
    int priority = 0;
  };

  struct Routed {
    std::vector<Decision> decisions;  // time and event_sequence filled in
    std::vector<Start> starts;
    bool held = false;                // it waits in a debounce: not routed to its end yet
  };
  // `event` is journaled (has its sequence). With `handler` it goes to that one, whatever the rules say: a person's trigger.
  Routed route(const EventPtr& event, const std::string& handler, Now now);

  // What a debounce let go. Where several changes of files became one, `merged` is the event that stands for them: the engine gives it an
  // id, journals it, and then asks for the starts of it.
  struct Fired {
    const Rule* rule = nullptr;
    std::vector<EventPtr> events;
    std::optional<Event> merged;
  };
  std::vector<Fired> fire(SteadyTime now);
  // The decisions on the events gathered, and the starts for `chosen` (the merged one, or the last of them).
  Routed release(const Fired& fired, const EventPtr& chosen, Now now) const;

  std::optional<SteadyTime> next_due() const { return debounce_.next_due(); }
  std::size_t held() const { return debounce_.held(); }
  void forget_held() { debounce_.clear(); }  // they are about to be routed again from the journal

  const Rule* rule(const std::string& source) const;

 private:
  std::map<std::string, Rule> rules_;
  Debounce debounce_;
  std::vector<std::string> overfull_;  // keys that hold as much as they may: they fire without waiting
};

// One event for many: the last one's envelope, with the union of what they say of files. nullopt: they are not of that kind.
std::optional<Event> merge_file_changes(const std::vector<EventPtr>& events);

}  // namespace hark
