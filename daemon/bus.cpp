#include "daemon/bus.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/lifecycle_json.h"
#include "core/limits.h"
#include "core/payload.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "state/journal.h"

namespace hark {

namespace {

// Kinds of events whose audience is known at a time, and how many may have left that still stand in one which nobody calls any more.
constexpr std::size_t kAudiences = 256;
constexpr std::size_t kAudienceLeft = 4096;

}  // namespace

Bus::Bus(Loop& loop, const Clock& clock, Journal& journal) : loop_(loop), clock_(clock), journal_(journal), timer_(loop.timer()) {}
Bus::~Bus() { *alive_ = false; }

Status Bus::begin() {
  const auto newest = journal_.newest_event();
  if (!newest) return newest.error();
  head_ = *newest;
  return {};
}

Status Bus::join(std::shared_ptr<BusReader> reader, Wish wish) {
  if (wish.after && *wish.after > head_) {
    return Error{"there is no position " + std::to_string(*wish.after) + " yet, the newest is " + std::to_string(head_) + ": it is of another journal",
                 "begin with 0, or with no position for what comes from now on"};
  }
  const auto* const who = reader.get();
  auto entry = std::make_shared<Entry>(Entry{std::move(reader), std::move(wish)});
  entry->position = entry->wish.after.value_or(head_);
  readers_[who] = entry;
  if (entry->wish.until) {
    times_.emplace(*entry->wish.until, entry);
    arm_timer();
  }
  for (auto& [name, audience] : lifecycle_) {
    if (listens(*entry, name)) audience.push_back(entry);
  }
  for (auto& [key, audience] : events_) {
    const auto kind = std::string_view(key);
    const auto end = kind.find('\0');
    if (entry->wish.pattern.may_match(kind.substr(0, end), kind.substr(end + 1))) audience.push_back(entry);
  }
  if (entry->position < head_) fall_behind(*entry);
  return {};
}

void Bus::leave(const BusReader& reader) {
  const auto left = readers_.extract(&reader);
  if (left.empty()) return;
  left.mapped()->left = true;
  if (++left_ < kAudienceLeft) return;
  left_ = 0;
  events_.clear();
  lifecycle_.clear();
}

void Bus::end() {
  for (const auto& [key, entry] : std::map(readers_)) {
    entry->reader->looked_at(position_of(*entry));
    if (readers_.contains(key)) entry->reader->time_over();
  }
}

std::uint64_t Bus::position_of(const BusReader& reader) const {
  const auto found = readers_.find(&reader);
  return found == readers_.end() ? head_ : position_of(*found->second);
}

std::uint64_t Bus::position_of(const Entry& entry) const { return entry.state == Entry::State::live ? head_ : entry.position; }

void Bus::resume(const BusReader& reader) {
  const auto found = readers_.find(&reader);
  if (found == readers_.end() || found->second->state != Entry::State::full) return;
  auto& entry = *found->second;
  entry.state = Entry::State::live;
  if (entry.position < head_) fall_behind(entry);
}

// What stands for several others has not arrived itself.
bool Bus::wants(const Entry& entry, const Event& event, WallTime now) const {
  return event.members == 0 && !has_expired(event, now) && (!entry.wish.allowed || entry.wish.allowed(event)) && entry.wish.pattern.matches(event);
}

bool Bus::listens(const Entry& entry, std::string_view name) { return entry.wish.lifecycle && entry.wish.pattern.may_match(name, ""); }

Bus::Audience& Bus::present(Audience& audience) {
  std::erase_if(audience, [](const auto& entry) { return entry.expired(); });
  return audience;
}

Bus::Audience& Bus::audience_of(const Event& event) {
  auto key = event.type + '\0' + event.topic;
  if (const auto known = events_.find(key); known != events_.end()) return present(known->second);
  if (events_.size() >= kAudiences) events_.clear();
  auto& made = events_[std::move(key)];
  for (const auto& [reader, entry] : readers_) {
    if (entry->wish.pattern.may_match(event.type, event.topic)) made.push_back(entry);
  }
  return made;
}

Bus::Audience& Bus::audience_of(std::string_view lifecycle_name) {
  const auto [known, made] = lifecycle_.try_emplace(std::string(lifecycle_name));
  if (!made) return present(known->second);
  for (const auto& [reader, entry] : readers_) {
    if (listens(*entry, lifecycle_name)) known->second.push_back(entry);
  }
  return known->second;
}

void Bus::durable(const std::vector<EventPtr>& events) {
  const auto before = std::exchange(head_, events.back()->sequence);
  const bool gap = events.front()->sequence != before + 1;  // another process has written between
  const auto now = clock_.now().wall;
  if (gap) {
    for (const auto& [key, entry] : readers_) {
      if (entry->state != Entry::State::live) continue;
      entry->position = before;
      fall_behind(*entry);
    }
    return;
  }
  // First who, then the calls: a reader may leave in them.
  std::vector<std::shared_ptr<Entry>> who;
  for (const auto& event : events) {
    for (const auto& reader : audience_of(*event)) {
      auto entry = reader.lock();
      if (entry->state != Entry::State::live || entry->called || !wants(*entry, *event, now)) continue;
      entry->called = true;
      who.push_back(std::move(entry));
    }
  }
  for (const auto& entry : who) {
    entry->called = false;
    if (entry->left) continue;
    for (const auto& event : events) {
      if (!wants(*entry, *event, now) || entry->reader->take(event)) continue;
      entry->state = Entry::State::full;
      entry->position = event->sequence;
      break;
    }
    entry->reader->looked_at(position_of(*entry));
  }
}

void Bus::tell(const lifecycle::Any& event) {
  std::vector<std::shared_ptr<Entry>> who;
  for (const auto& reader : audience_of(lifecycle::name(event))) {
    auto entry = reader.lock();
    if (entry->wish.lifecycle->empty() || evaluate(*entry->wish.lifecycle, event).matches) who.push_back(std::move(entry));
  }
  if (who.empty()) return;
  const auto text = write_json(to_json(event, clock_.now().wall));
  for (const auto& entry : who) {
    if (!entry->left) entry->reader->told(lifecycle::name(event), text);
  }
}

void Bus::fall_behind(Entry& entry) {
  entry.state = Entry::State::behind;
  schedule_reading();
}

// Posted: who reads the past must not hold up the present.
void Bus::schedule_reading() {
  if (std::exchange(reading_scheduled_, true)) return;
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    reading_scheduled_ = false;
    read_on();
  });
}

// A piece for the next of those that are behind, and for all who are there as well.
void Bus::read_on() {
  const auto behind = [](const auto& each) { return each.second->state == Entry::State::behind; };
  auto next = std::find_if(readers_.upper_bound(last_read_), readers_.end(), behind);
  if (next == readers_.end()) next = std::find_if(readers_.begin(), readers_.end(), behind);
  if (next == readers_.end()) return;
  last_read_ = next->first;
  const auto lead = next->second;
  constexpr std::uint64_t kAlso = limits::kBusRows / 2;  // who is so little behind the next is read to on the way
  const auto least = lead->position - std::min(lead->position, kAlso);
  auto from = lead->position;
  Readers readers;
  for (const auto& [key, entry] : readers_) {
    if (entry->state != Entry::State::behind || entry->position < least) continue;
    from = std::min(from, entry->position);
    readers.push_back(entry);
  }
  if (const auto done = read_for(readers, from); !done && !lead->left) {
    leave(*lead->reader);
    lead->reader->broken(done.error());
  }
  if (std::any_of(readers_.begin(), readers_.end(), behind)) schedule_reading();
}

Status Bus::read_for(const Readers& readers, std::uint64_t from) {
  if (auto told = tell_missed(readers); !told) return told;
  const auto piece = find_piece(from, readers);
  if (!piece) return piece.error();
  const auto looked = hand_out(*piece);
  for (const auto& entry : readers) {
    const bool brought = std::exchange(entry->called, false);
    if (entry->left) continue;
    if (looked && entry->state == Entry::State::behind) {
      entry->position = std::max(entry->position, *looked);
      if (entry->position == head_) entry->state = Entry::State::live;
    }
    if (brought) entry->reader->looked_at(position_of(*entry));
  }
  return looked ? Status() : Status(looked.error());
}

Status Bus::tell_missed(const Readers& readers) {
  const auto forgotten = journal_.forgotten();
  if (!forgotten) return forgotten.error();
  for (const auto& entry : readers) {
    std::uint64_t gone = 0;
    for (const auto& [topic, sequence] : *forgotten) {
      if (topic.empty() || entry->wish.pattern.wants_topic(topic)) gone = std::max(gone, sequence);
    }
    if (gone <= std::max(entry->position, entry->told_missed)) continue;
    entry->told_missed = gone;
    entry->reader->missed(entry->position);
  }
  return {};
}

Result<Bus::Piece> Bus::find_piece(std::uint64_t from, const Readers& readers) {
  Piece piece;
  piece.looked = from;
  std::size_t rows = 0;
  bool all = true;
  const auto look = [&](std::uint64_t sequence, std::string_view type, std::string_view topic) {
    if (sequence > head_) return false;  // not durable yet
    if (rows++ == limits::kBusRows || piece.events.size() == limits::kBusPiece) return all = false;
    piece.looked = sequence;
    const auto [audience, is_new] = piece.audiences.try_emplace(std::string(type) + '\0' + std::string(topic));
    if (is_new) {
      std::copy_if(readers.begin(), readers.end(), std::back_inserter(audience->second), [&](const auto& entry) { return entry->wish.pattern.may_match(type, topic); });
    }
    if (!audience->second.empty()) piece.events.emplace_back(sequence, &audience->second);
    return true;
  };
  if (auto done = journal_.each_event_after(from, look); !done) return done.error();
  if (all) piece.looked = head_;
  return piece;
}

// How far it got.
Result<std::uint64_t> Bus::hand_out(const Piece& piece) {
  const auto now = clock_.now().wall;
  std::size_t handed = 0;
  for (const auto& [sequence, audience] : piece.events) {
    const auto waits = [at = sequence](const std::shared_ptr<Entry>& entry) { return !entry->left && entry->state == Entry::State::behind && entry->position < at; };
    if (std::none_of(audience->begin(), audience->end(), waits)) continue;
    auto found = journal_.event_at(sequence);
    if (!found) return found.error();
    const auto event = *found ? std::make_shared<const Event>(std::move(**found)) : nullptr;
    for (const auto& entry : *audience) {
      if (!waits(entry)) continue;
      entry->position = sequence;
      if (!event || !wants(*entry, *event, now)) continue;
      entry->called = true;
      ++handed;
      if (!entry->reader->take(event)) entry->state = Entry::State::full;
    }
    if (handed >= limits::kBusHanded) return sequence;
  }
  return piece.looked;
}

void Bus::arm_timer() {
  while (!times_.empty() && times_.begin()->second.expired()) times_.erase(times_.begin());
  if (times_.empty()) return timer_->cancel();
  timer_->at(times_.begin()->first, [this] { end_times(); });
}

void Bus::end_times() {
  const auto now = clock_.now().steady;
  while (!times_.empty() && times_.begin()->first <= now) {
    const auto entry = times_.begin()->second.lock();
    times_.erase(times_.begin());
    if (!entry) continue;
    entry->reader->looked_at(position_of(*entry));
    const auto still = readers_.find(entry->reader.get());
    if (still != readers_.end() && still->second == entry) entry->reader->time_over();
  }
  arm_timer();
}

}  // namespace hark
