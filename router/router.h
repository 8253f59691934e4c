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

// The reason of the decision about an event that went to a handler whatever the rules say.
inline constexpr std::string_view kSentByName = "the event was sent to this handler by name";

class Router {
 public:
  explicit Router(std::vector<Rule> rules);
  // What is held stays held, and is let go by the new rules. Of a source that has gone, or gathers in another way or no more, it goes
  // with the next fire(), by the rule it was gathered under: a restart would not find that rule again.
  void set_rules(std::vector<Rule> rules);

  // A handler is to run for an event.
  struct Start {
    EventPtr event;
    std::string handler;
    int priority = 0;
    std::optional<std::string> key;
    std::optional<WallTime> not_before{};  // perhaps a circle
    bool direct = false;                   // sent to the handler by name: by a person, or as its on_failure
    std::string source{};                  // whose rule says so: the event's own, or one that takes it from the bus
  };

  struct Routed {
    std::vector<Decision> decisions;  // time and event_sequence filled in
    std::vector<Start> starts;
    std::vector<std::string> gathering{};  // sources whose debounce or batch it waits in: it is not routed to its end yet
  };
  // To whom: as the rules say, to one of the handlers that they name, or to that one whatever they say (a person's trigger).
  struct Target {
    std::string handler{};  // empty: all that the rules name
    bool direct = false;
    std::vector<std::string> without{};  // handlers whose own runs made it
    std::vector<std::string> only{};     // of sources: those whose rules are not through with it yet; none: all
    std::vector<std::string> except{};   // of sources: those for which it is a duplicate
  };
  // `event` is journaled (has its sequence).
  Routed route(const EventPtr& event, const Target& target, Now now);
  // Whose events it is one of: of its own source, or of those that take it from the bus.
  std::vector<const Rule*> rules_for(const Event& event) const;

  // What was held and may go. Where one event is to stand for several, `merged` is that one: the engine gives it an id, journals it, and
  // then asks for the starts of it.
  struct Fired {
    Debounce::Batch batch;
    std::optional<Event> merged;
    SteadyTime at;
  };
  std::vector<Fired> fire(SteadyTime now);
  // The decisions on the events gathered, and the starts for `chosen` (the merged one, or the last of them).
  Routed release(const Fired& fired, const EventPtr& chosen, Now now);

  std::optional<SteadyTime> next_due() const { return debounce_.next_due(); }
  std::size_t held() const { return debounce_.held(); }
  void forget_held() { debounce_.clear(); }  // they are about to be routed again from the journal

  const Rule* rule(const std::string& source) const;  // of this name; null: there is none
  // Whose order is kept: what its source's rule makes of the event. nullopt: the rule says nothing of a key.
  std::optional<std::string> key(const Event& event) const;

 private:
  void route_by(const Rule& rule, Routed& routed, const EventPtr& event, const Target& target, Now now);
  void start_all(Routed& routed, const EventPtr& event, const Rule& rule, const std::string& only, const std::vector<std::string>& without,
                 const std::optional<std::string>& key, Now now);

  const Rule* rule_of_held(const std::string& source) const;  // which is about to go
  std::map<std::string, Rule> rules_;
  std::map<std::string, Rule> retired_;  // by source, until what was gathered under them has gone
  Debounce debounce_;
};

// One event for many. Changes of files: the last one's envelope, with the union of what they say. nullopt: they are not of that kind.
std::optional<Event> merge_file_changes(const std::vector<Debounce::Held>& events);
// Others: data = {"events": [each as a whole, in the order they came]}.
Event merge_batch(const std::vector<Debounce::Held>& events);

}  // namespace hark
