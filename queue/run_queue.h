// What waits for a slot. A line a handler and source, so that one that is busy, paused or flooded does not hold up the others: the
// lines of equal priority take turns. Within a line the order of arrival, by priority. Pure, loop thread only.
//
// Priority does not starve: every limits::kFairTurn-th start goes to what has waited longest, whatever its priority.
//
// Runs with a key (of one handler) go one after the other, in the order of their sequence: as many as the handler may run at once, one
// where it says nothing. Such a run keeps its key from when it is next until done(), also while it waits for another attempt.
//
// A source's throttle bounds how many runs of each handler start, of each key by itself. It is asked as a run is about to be taken, so
// that those that a pause or taken slots held up do not start all at once.
//
// The journal has every waiting run. Of each the queue knows its number and place, some 16 bytes (40 of one that waits for a time); of
// the first ones, up to `runs_in_memory` and limits::kQueueBytes, the run and its event as well, so that they need not be read again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/run.h"
#include "queue/slots.h"
#include "queue/throttle.h"

namespace hark {

class RunQueue {
 public:
  RunQueue(int cap, std::size_t runs_in_memory) : slots_(cap), runs_in_memory_(runs_in_memory) {}
  RunQueue(const RunQueue&) = delete;
  RunQueue& operator=(const RunQueue&) = delete;

  Slots& slots() { return slots_; }
  const Slots& slots() const { return slots_; }
  void set_runs_in_memory(std::size_t most) { runs_in_memory_ = most; }

  struct Waiting {
    Run run;
    EventPtr event;  // null: only in the journal
  };
  void push(Waiting waiting, Now now);
  void push(const WaitingRun& waiting, Now now);  // of which memory has no more
  void push_again(Waiting waiting, Now now);      // another attempt of one that was taken and is not done: it has its key still

  struct Ready {
    std::uint64_t sequence = 0;
    std::optional<Waiting> known;  // nullopt: to be read from the journal
    Slot slot;
  };
  std::optional<Ready> take(SteadyTime now);  // the first that may run
  void began(SteadyTime now);                 // those that were taken since the last call are under way only from now on
  // One that was taken is over, or will never be: the next of its key may go.
  void done(const std::string& handler, const std::optional<std::string>& key);
  void caps_changed();  // of slots(): as many of each key go as now may

  // By source; what was counted is forgotten. Before, clear(): what waits may come under a throttle, or out of one.
  void set_throttles(std::map<std::string, Rate> throttles);
  void count_start(const WaitingRun& run, SteadyTime began);  // that is known from before; in order
  // What the throttle says of a run that is about to be pushed, or waits. nullopt: none applies.
  struct Throttled {
    Rate rate;
    SteadyTime next;          // when the next one may start: now, where there is room
    std::size_t room = 0;     // so many may start now
    std::size_t waiting = 0;  // others that are before it; of those with a key it is not counted
  };
  std::optional<Throttled> throttled(const Run& run, SteadyTime now) const;
  // Where as many runs of this handler (and key) are under way as may: the youngest that waits for their end, and when it might start
  // were there none. nullopt: there is none, or it would not start then either.
  struct Behind {
    std::uint64_t sequence = 0;
    SteadyTime time;
  };
  std::optional<Behind> behind(const std::string& handler, const std::optional<std::string>& key) const;

  bool remove(const Run& run);  // cancelled before it began; false: it does not wait here
  void clear();                 // all are about to be read again from the journal
  void keep_key(const std::string& handler, const std::optional<std::string>& key);  // after clear(): of a run that is under way

  // Whether a new run of this handler (and key) would have to wait for others of it, and who they are that wait.
  bool busy(const std::string& handler, const std::optional<std::string>& key) const;
  std::vector<std::uint64_t> waiting(const std::string& handler, const std::optional<std::string>& key) const;

  void pause(const std::string& handler) { paused_.insert(handler); }   // empty name: every handler
  void resume(const std::string& handler);
  void set_paused(std::set<std::string> handlers) { paused_ = std::move(handlers); }
  bool paused(const std::string& handler) const { return paused_.contains("") || paused_.contains(handler); }
  const std::set<std::string>& paused_by_name() const { return paused_; }

  // A breaker's: no run of this handler, one at a time, or as many as it may.
  enum class Flow { open, one, none };
  void set_flow(const std::string& handler, Flow flow);

  SteadyTime looked_at() const { return now_; }  // by take(), last
  std::optional<SteadyTime> next_due() const;  // when the next one that waits for a time, or a throttle, may go

  std::optional<std::uint64_t> oldest() const;  // of those that wait for a slot, a pause or a breaker, and not for a time or another run
  std::size_t size() const { return size_; }
  std::size_t size(const std::string& handler) const;
  std::size_t in_memory() const { return known_.size(); }

 private:
  struct Entry {
    std::uint64_t sequence;
    std::uint64_t key;  // 0: none
  };
  // Highest priority first; within one the oldest.
  using Line = std::map<int, std::deque<Entry>, std::greater<>>;
  struct Place {  // never goes, so that others may point to it: there are as many as handlers and sources that feed them
    std::string handler;
    std::string source;
    bool keyed = false;
    std::optional<Throttle> throttle{};  // that counts them; those of the source that it does not count have another place
    std::size_t size = 0;  // of all that waits, in the line or for something
    Line line{};
    std::uint64_t served = 0;  // when it last had its turn
  };
  struct Late {
    SteadyTime due;
    Place* place;
    int priority;
    Entry entry;
    bool operator<(const Late& other) const { return due > other.due; }  // of a heap: the earliest on top
  };
  struct Key {
    int admitted = 0;                            // run, or are next
    std::unique_ptr<std::deque<Late>> behind;    // wait for those, by sequence
  };

  using PlaceKey = std::tuple<std::string, std::string, bool, bool>;  // handler, source, whether keyed, whether throttled
  Place& place(const WaitingRun& run);
  const Place* find_place(const WaitingRun& run) const;
  PlaceKey place_key(const WaitingRun& run) const;
  void add(const WaitingRun& waiting, Now now, bool has_key);
  Place* best_place(Line::iterator& line);
  bool put_off(Place& place, Line::iterator line);
  bool is_open(const std::string& handler) const;  // neither paused nor held by its breaker
  bool give_way(std::uint64_t key, std::uint64_t sequence);
  void remember(Waiting waiting);
  void line_up(const Late& late);
  void release_late();
  void let_next(std::uint64_t key);
  void admit(Key& key);
  int key_cap(const std::string& handler) const;
  bool may_run(const Place& place) const;
  void shorten(Place& place, Line::iterator line);  // one of it was taken out
  void forget(Place& place, std::uint64_t sequence);

  Slots slots_;
  std::size_t runs_in_memory_;
  std::map<PlaceKey, std::unique_ptr<Place>> places_;
  std::map<std::string, Rate> throttles_;  // by source
  std::vector<Place*> starting_;           // throttled ones of which a run was taken that has not begun yet
  std::set<Place*> lined_up_;    // those whose line is not empty: what take() looks through
  Place* last_place_ = nullptr;  // a million runs in a row are mostly of one
  std::vector<Late> late_;                                                        // a heap
  std::unordered_map<std::uint64_t, Key> keys_;
  std::unordered_map<std::uint64_t, Waiting> known_;
  std::size_t known_bytes_ = 0;
  std::set<std::string> paused_;
  std::map<std::string, Flow> flows_;  // those that are not open
  std::size_t size_ = 0;
  std::uint64_t turns_ = 0;
  SteadyTime now_{};  // when it was last looked at
};

}  // namespace hark
