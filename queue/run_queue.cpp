#include "queue/run_queue.h"

#include <algorithm>

#include "core/limits.h"

namespace hark {

namespace {

// Two keys that share a number would only wait for one another.
std::uint64_t key_number(const std::string& handler, const std::optional<std::string>& key) {
  if (!key) return 0;
  const auto number = std::hash<std::string>{}(handler + '\0' + *key);
  return number == 0 ? 1 : number;
}

// By sequence, which is how they come as a rule: at the end.
template <class Items, class Sequence>
auto position(Items& items, std::uint64_t sequence, Sequence sequence_of) {
  if (items.empty() || sequence_of(items.back()) < sequence) return items.end();
  return std::lower_bound(items.begin(), items.end(), sequence, [&](const auto& item, std::uint64_t wanted) { return sequence_of(item) < wanted; });
}

constexpr auto of_entry = [](const auto& entry) { return entry.sequence; };
constexpr auto of_late = [](const auto& late) { return late.entry.sequence; };

std::size_t bytes_of(const RunQueue::Waiting& waiting) {
  if (!waiting.event) return limits::kRunBytes;
  return limits::kRunBytes + waiting.event->data.text().size() + (waiting.event->context ? waiting.event->context->text().size() : 0);
}

}  // namespace

RunQueue::PlaceKey RunQueue::place_key(const WaitingRun& run) const {
  return {run.handler, run.source, run.key.has_value(), run.throttleable && throttles_.contains(run.source)};
}

RunQueue::Place& RunQueue::place(const WaitingRun& run) {
  const bool like_last = last_place_ != nullptr && last_place_->handler == run.handler && last_place_->source == run.source &&
                         last_place_->keyed == run.key.has_value() && (throttles_.empty() || !throttles_.contains(run.source));
  if (like_last) return *last_place_;
  auto& place = places_[place_key(run)];
  if (!place) {
    place = std::make_unique<Place>(Place{.handler = run.handler, .source = run.source, .keyed = run.key.has_value()});
    if (const auto throttle = throttles_.find(run.source); throttle != throttles_.end() && run.throttleable) place->throttle.emplace(throttle->second);
  }
  last_place_ = place.get();
  return *place;
}

const RunQueue::Place* RunQueue::find_place(const WaitingRun& run) const {
  const auto place = places_.find(place_key(run));
  return place == places_.end() ? nullptr : place->second.get();
}

void RunQueue::push(Waiting waiting, Now now) {
  add(waiting_run(waiting.run), now, false);
  remember(std::move(waiting));
}

void RunQueue::push(const WaitingRun& waiting, Now now) { add(waiting, now, false); }

void RunQueue::push_again(Waiting waiting, Now now) {
  add(waiting_run(waiting.run), now, true);
  remember(std::move(waiting));
}

void RunQueue::remember(Waiting waiting) {
  const auto bytes = bytes_of(waiting);
  if (!waiting.event || known_.size() >= runs_in_memory_ || known_bytes_ + bytes > limits::kQueueBytes) return;
  known_bytes_ += bytes;
  known_.emplace(waiting.run.sequence, std::move(waiting));
}

void RunQueue::add(const WaitingRun& waiting, Now now, bool has_key) {
  now_ = now.steady;
  ++size_;
  const auto pause = waiting.not_before ? std::max(*waiting.not_before - now.wall, WallTime::duration::zero()) : WallTime::duration::zero();
  const auto number = key_number(waiting.handler, waiting.key);
  auto& place = this->place(waiting);
  ++place.size;
  const Late late{now.steady + pause, &place, waiting.priority, {waiting.sequence, number}};
  if (number != 0 && !has_key) {
    auto& key = keys_[number];
    if (key.behind || key.admitted >= key_cap(waiting.handler)) {
      if (!waiting.throttleable && give_way(number, waiting.sequence)) return line_up(late);
      if (!key.behind) key.behind = std::make_unique<std::deque<Late>>();
      key.behind->insert(position(*key.behind, waiting.sequence, of_late), late);
      return;
    }
    ++key.admitted;
  }
  line_up(late);
}

// A run that no throttle holds takes the turn of a later one of its key that waits for one.
bool RunQueue::give_way(std::uint64_t number, std::uint64_t sequence) {
  const auto later = std::find_if(late_.begin(), late_.end(), [&](const Late& each) {
    return each.entry.key == number && each.place->throttle && each.entry.sequence > sequence;
  });
  if (later == late_.end()) return false;
  auto& behind = keys_.at(number).behind;
  if (!behind) behind = std::make_unique<std::deque<Late>>();
  behind->insert(position(*behind, later->entry.sequence, of_late), *later);
  late_.erase(later);
  std::make_heap(late_.begin(), late_.end());
  return true;
}

void RunQueue::line_up(const Late& late) {
  if (late.due > now_) {
    late_.push_back(late);
    std::push_heap(late_.begin(), late_.end());
    return;
  }
  lined_up_.insert(late.place);
  auto& line = late.place->line[late.priority];
  line.insert(position(line, late.entry.sequence, of_entry), late.entry);
}

void RunQueue::release_late() {
  while (!late_.empty() && late_.front().due <= now_) {
    std::pop_heap(late_.begin(), late_.end());
    const auto late = late_.back();
    late_.pop_back();
    line_up(late);
  }
}

std::optional<SteadyTime> RunQueue::next_due() const {
  auto next = late_.empty() ? std::nullopt : std::optional(late_.front().due);
  if (throttles_.empty()) return next;
  for (const auto* place : lined_up_) {
    if (!place->throttle || place->keyed) continue;
    const auto time = place->throttle->next(0, now_);
    if (time > now_ && (!next || time < *next)) next = time;  // else it waits for something that is not a time
  }
  return next;
}

int RunQueue::key_cap(const std::string& handler) const { return std::max(1, slots_.handler_cap(handler)); }

bool RunQueue::is_open(const std::string& handler) const {
  const auto flow = flows_.find(handler);
  return !paused(handler) && (flow == flows_.end() || flow->second != Flow::none);
}

std::optional<RunQueue::Behind> RunQueue::behind(const std::string& handler, const std::optional<std::string>& run_key) const {
  if (!is_open(handler)) return std::nullopt;
  const auto number = key_number(handler, run_key);
  if (number != 0) {
    const auto key = keys_.find(number);
    if (key == keys_.end() || !key->second.behind) return std::nullopt;
    const auto& last = key->second.behind->back();
    return Behind{last.entry.sequence, last.place->throttle ? std::max(last.due, last.place->throttle->next(number, now_)) : last.due};
  }
  const auto cap = slots_.handler_cap(handler);
  if (cap == 0 || slots_.running(handler) < cap) return std::nullopt;
  std::optional<Behind> last;
  for (const auto* place : lined_up_) {
    if (place->handler != handler || place->keyed) continue;
    for (const auto& [priority, line] : place->line) {
      for (const auto& entry : line) {
        if (!last || entry.sequence > last->sequence) last = Behind{entry.sequence, place->throttle ? place->throttle->next(0, now_) : now_};
      }
    }
  }
  return last;
}

bool RunQueue::may_run(const Place& place) const {
  if (paused_.contains(place.handler) || !slots_.free(place.handler, place.keyed)) return false;
  if (place.throttle && !place.keyed && place.throttle->next(0, now_) > now_) return false;
  const auto flow = flows_.find(place.handler);
  if (flow == flows_.end()) return true;
  return flow->second == Flow::one && slots_.running(place.handler) == 0;
}

RunQueue::Place* RunQueue::best_place(Line::iterator& best_line) {
  const bool longest_waiting = (turns_ + 1) % limits::kFairTurn == 0;
  Place* best = nullptr;
  const auto better = [&](const Place& place, Line::iterator line) {
    if (best == nullptr) return true;
    const auto older = line->second.front().sequence < best_line->second.front().sequence;
    if (longest_waiting) return older;
    if (line->first != best_line->first) return line->first > best_line->first;
    return place.served != best->served ? place.served < best->served : older;
  };
  for (auto* place : lined_up_) {
    if (!may_run(*place)) continue;
    const auto last = longest_waiting ? place->line.end() : std::next(place->line.begin());
    for (auto line = place->line.begin(); line != last; ++line) {
      if (!better(*place, line)) continue;
      best = place;
      best_line = line;
    }
  }
  return best;
}

std::optional<RunQueue::Ready> RunQueue::take(SteadyTime now) {
  now_ = now;
  release_late();
  if (size_ == 0 || !slots_.any_free() || paused_.contains("")) return std::nullopt;
  Line::iterator line;
  Place* best = best_place(line);
  while (best != nullptr && put_off(*best, line)) best = best_place(line);
  if (best == nullptr) return std::nullopt;
  best->served = ++turns_;
  const auto entry = line->second.front();
  line->second.pop_front();
  shorten(*best, line);
  if (best->throttle) {
    best->throttle->start(entry.key, now);
    starting_.push_back(best);
  }
  Ready ready;
  ready.sequence = entry.sequence;
  ready.slot = slots_.take(best->handler, best->keyed);
  if (auto known = known_.extract(ready.sequence); !known.empty()) {
    known_bytes_ -= bytes_of(known.mapped());
    ready.known = std::move(known.mapped());
  }
  --size_;
  --best->size;
  return ready;
}

// The throttle of its key lets the first of this line wait, and those behind it pass. (One without keys holds up the line as a whole:
// may_run() asks it.)
bool RunQueue::put_off(Place& place, Line::iterator line) {
  if (!place.throttle) return false;
  const auto entry = line->second.front();
  const auto due = place.throttle->next(entry.key, now_);
  if (due <= now_) return false;
  const auto priority = line->first;
  line->second.pop_front();
  shorten(place, line);
  line_up({due, &place, priority, entry});
  return true;
}

void RunQueue::began(SteadyTime now) {
  for (auto* place : starting_) place->throttle->began(now);
  starting_.clear();
}

void RunQueue::set_throttles(std::map<std::string, Rate> throttles) {
  throttles_ = std::move(throttles);
  starting_.clear();
  last_place_ = nullptr;
  for (auto& [key, place] : places_) {
    const auto throttle = throttles_.find(place->source);
    if (std::get<3>(key) && throttle != throttles_.end()) place->throttle.emplace(throttle->second);
  }
}

void RunQueue::count_start(const WaitingRun& run, SteadyTime began) {
  if (run.throttleable && throttles_.contains(run.source)) place(run).throttle->count(key_number(run.handler, run.key), began);
}

std::optional<RunQueue::Throttled> RunQueue::throttled(const Run& run, SteadyTime now) const {
  const auto rate = throttles_.find(run.source);
  if (rate == throttles_.end() || !throttle_applies(run)) return std::nullopt;
  const auto* place = find_place(waiting_run(run));
  if (place == nullptr) return Throttled{rate->second, now, static_cast<std::size_t>(rate->second.count), 0};
  const auto number = key_number(run.handler, run.key);
  Throttled told{rate->second, place->throttle->next(number, now), place->throttle->room(number, now), 0};
  if (number != 0) return told;
  for (const auto& [priority, line] : place->line) {
    if (priority < run.priority) break;
    const auto end = priority > run.priority || run.sequence == 0 ? line.end() : std::lower_bound(line.begin(), line.end(), run.sequence, [](const Entry& entry, std::uint64_t sequence) { return entry.sequence < sequence; });
    told.waiting += static_cast<std::size_t>(end - line.begin());
  }
  return told;
}

void RunQueue::done(const std::string& handler, const std::optional<std::string>& key) {
  if (const auto number = key_number(handler, key); number != 0) let_next(number);
}

void RunQueue::let_next(std::uint64_t number) {
  const auto key = keys_.find(number);
  if (key == keys_.end()) return;
  --key->second.admitted;
  admit(key->second);
  if (key->second.admitted == 0) keys_.erase(key);
}

void RunQueue::admit(Key& key) {
  while (key.behind && key.admitted < key_cap(key.behind->front().place->handler)) {
    ++key.admitted;
    line_up(key.behind->front());
    key.behind->pop_front();
    if (key.behind->empty()) key.behind.reset();
  }
}

void RunQueue::caps_changed() {
  for (auto& [number, key] : keys_) admit(key);
}

void RunQueue::keep_key(const std::string& handler, const std::optional<std::string>& key) {
  if (const auto number = key_number(handler, key); number != 0) ++keys_[number].admitted;
}

void RunQueue::shorten(Place& place, Line::iterator line) {
  if (line->second.empty()) place.line.erase(line);
  if (place.line.empty()) lined_up_.erase(&place);
}

void RunQueue::forget(Place& place, std::uint64_t sequence) {
  --size_;
  --place.size;
  if (const auto known = known_.find(sequence); known != known_.end()) {
    known_bytes_ -= bytes_of(known->second);
    known_.erase(known);
  }
}

bool RunQueue::remove(const Run& run) {
  const auto number = key_number(run.handler, run.key);
  auto& place = this->place(waiting_run(run));
  if (const auto key = keys_.find(number); key != keys_.end() && key->second.behind) {
    auto& behind = *key->second.behind;
    const auto found = position(behind, run.sequence, of_late);
    if (found != behind.end() && found->entry.sequence == run.sequence) {
      behind.erase(found);
      if (behind.empty()) key->second.behind.reset();
      forget(place, run.sequence);
      return true;
    }
  }
  const auto late = std::find_if(late_.begin(), late_.end(), [&](const Late& each) { return each.entry.sequence == run.sequence; });
  if (late != late_.end()) {
    late_.erase(late);
    std::make_heap(late_.begin(), late_.end());
  } else {
    const auto line = place.line.find(run.priority);
    if (line == place.line.end()) return false;
    const auto found = position(line->second, run.sequence, of_entry);
    if (found == line->second.end() || found->sequence != run.sequence) return false;
    line->second.erase(found);
    shorten(place, line);
  }
  forget(place, run.sequence);
  if (number != 0) let_next(number);
  return true;
}

void RunQueue::clear() {
  for (auto& [name, place] : places_) {
    place->line.clear();
    place->size = 0;
  }
  lined_up_.clear();
  late_.clear();
  keys_.clear();
  known_.clear();
  known_bytes_ = 0;
  size_ = 0;
}

bool RunQueue::busy(const std::string& handler, const std::optional<std::string>& key) const {
  if (const auto number = key_number(handler, key); number != 0) {
    const auto known = keys_.find(number);
    return known != keys_.end() && known->second.admitted >= key_cap(handler);
  }
  const auto cap = slots_.handler_cap(handler);
  return cap > 0 && static_cast<std::size_t>(slots_.running(handler)) + size(handler) >= static_cast<std::size_t>(cap);
}

std::vector<std::uint64_t> RunQueue::waiting(const std::string& handler, const std::optional<std::string>& key) const {
  const auto number = key_number(handler, key);
  std::vector<std::uint64_t> found;
  const auto note = [&](const Entry& entry) {
    if (entry.key == number) found.push_back(entry.sequence);
  };
  for (const auto& [name, place] : places_) {
    if (place->handler != handler || place->keyed != (number != 0)) continue;
    for (const auto& [priority, line] : place->line) std::for_each(line.begin(), line.end(), note);
  }
  for (const auto& late : late_) {
    if (late.place->handler == handler) note(late.entry);
  }
  if (const auto known = keys_.find(number); known != keys_.end() && known->second.behind) {
    for (const auto& late : *known->second.behind) note(late.entry);
  }
  return found;
}

void RunQueue::resume(const std::string& handler) {
  if (handler.empty()) {
    paused_.clear();
  } else {
    paused_.erase(handler);
  }
}

void RunQueue::set_flow(const std::string& handler, Flow flow) {
  if (flow == Flow::open) {
    flows_.erase(handler);
  } else {
    flows_[handler] = flow;
  }
}

std::optional<std::uint64_t> RunQueue::oldest() const {
  std::optional<std::uint64_t> oldest;
  for (const auto* place : lined_up_) {
    for (const auto& [priority, line] : place->line) {
      if (!line.empty()) oldest = std::min(oldest.value_or(line.front().sequence), line.front().sequence);
    }
  }
  return oldest;
}

std::size_t RunQueue::size(const std::string& handler) const {
  std::size_t size = 0;
  for (auto place = places_.lower_bound({handler, "", false, false}); place != places_.end() && place->second->handler == handler; ++place) size += place->second->size;
  return size;
}

}  // namespace hark
