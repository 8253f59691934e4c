// The bus: who reads along, live or from a place in the journal, and what each of them gets.
//
// The journal holds what was published; a reader is a place in it. One that has seen everything is handed what comes as soon as it is
// durable. One that is behind, because it began in the past or did not take what it was given, is read to from the journal, a bounded piece
// a turn of the loop, and all whose place lies in that piece with it. So nothing is queued for anybody, a slow reader costs no more than a fast
// one, and a thousand that come back for more cost little more than one.
// Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/event.h"
#include "core/event_pattern.h"
#include "core/filter.h"
#include "core/lifecycle.h"
#include "core/result.h"
#include "core/time.h"

namespace hark {

class Clock;
class Journal;
class Loop;
class Timer;

// What it is told it is told on the loop, never from within a call of its own to the bus; it may call leave() and resume() from there.
class BusReader {
 public:
  virtual ~BusReader() = default;
  // The next event, in order, each once. False: no more for now; the bus waits for resume(), and goes on behind this one.
  virtual bool take(const EventPtr& event) = 0;
  // Everything up to `position` has been looked at: that is where to go on after. Told after each round that brought it something, and
  // when its time is over.
  virtual void looked_at(std::uint64_t position) = 0;
  // Events after `position`, which it may have wanted, are not kept any more.
  virtual void missed(std::uint64_t position) = 0;
  // Of hark itself; only where it asked for it. `text`: its JSON.
  virtual void told(std::string_view, const std::string&) {}
  virtual void time_over() {}
  // The journal cannot be read: there will be nothing more. It has left.
  virtual void broken(const Error& error) = 0;
};

class Bus {
 public:
  struct Wish {
    EventPattern pattern;
    std::function<bool(const Event&)> allowed{};                     // beside the pattern; empty: every one
    std::optional<Filter> lifecycle{};                               // which of the lifecycle events whose names fit the pattern; nullopt: none
    std::optional<std::uint64_t> after{};                            // a position; nullopt: only what comes from now on
    std::optional<SteadyTime> until{};                               // when its time is over; it leaves by itself
  };

  Bus(Loop& loop, const Clock& clock, Journal& journal);
  ~Bus();

  // Before anybody joins.
  Status begin();

  // An Error: there is nothing at that position yet, it is another journal's.
  Status join(std::shared_ptr<BusReader> reader, Wish wish);
  void leave(const BusReader& reader);
  void resume(const BusReader& reader);  // it takes more again

  // These arrived and survive a power loss; in order.
  void durable(const std::vector<EventPtr>& events);
  void tell(const lifecycle::Any& event);

  // Hark stops: everybody's time is over.
  void end();

  std::uint64_t position() const { return head_; }  // everything up to here was handed on
  std::uint64_t position_of(const BusReader& reader) const;  // of one that has joined
  std::size_t readers() const { return readers_.size(); }

 private:
  struct Entry {
    std::shared_ptr<BusReader> reader;
    Wish wish;
    std::uint64_t position = 0;  // of one that is live: the bus's
    std::uint64_t told_missed = 0;  // it knows that something up to here may be gone
    enum class State { live, behind, full } state = State::live;
    bool called = false;  // it is among those that something is about to be handed to
    bool left = false;
  };
  // Who may want the events of one type and topic, or the lifecycle events of one name: found once, as most of what comes at a high rate is
  // alike, and a thousand readers of other things shall not slow it down.
  using Audience = std::vector<std::weak_ptr<Entry>>;
  using Audiences = std::unordered_map<std::string, Audience>;

  std::uint64_t position_of(const Entry& entry) const;
  bool wants(const Entry& entry, const Event& event, WallTime now) const;
  static bool listens(const Entry& entry, std::string_view name);
  Audience& audience_of(const Event& event);
  Audience& audience_of(std::string_view lifecycle_name);
  static Audience& present(Audience& audience);
  void fall_behind(Entry& entry);
  void schedule_reading();
  void read_on();
  using Readers = std::vector<std::shared_ptr<Entry>>;
  // What one piece of the journal holds for readers that are behind: events, each with those who may want it.
  struct Piece {
    std::vector<std::pair<std::uint64_t, const Readers*>> events;
    std::unordered_map<std::string, Readers> audiences;  // by type and topic
    std::uint64_t looked = 0;                            // up to here
  };
  Status tell_missed(const Readers& readers);
  Result<Piece> find_piece(std::uint64_t from, const Readers& readers);
  Result<std::uint64_t> hand_out(const Piece& piece);
  Status read_for(const Readers& readers, std::uint64_t from);
  void arm_timer();
  void end_times();

  Loop& loop_;
  const Clock& clock_;
  Journal& journal_;
  std::uint64_t head_ = 0;
  std::map<const BusReader*, std::shared_ptr<Entry>> readers_;
  Audiences events_, lifecycle_;
  std::size_t left_ = 0;  // since they were last made, and so may still stand in them
  const BusReader* last_read_ = nullptr;  // the readers that are behind take turns
  std::multimap<SteadyTime, std::weak_ptr<Entry>> times_;
  std::unique_ptr<Timer> timer_;
  bool reading_scheduled_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hark
