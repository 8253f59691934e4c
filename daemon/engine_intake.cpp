// What comes in: who may offer now, whether it was here before, and how it is stored.
#include <utility>

#include "core/event_template.h"
#include "core/limits.h"
#include "daemon/engine_turn.h"
#include "platform/clock.h"
#include "platform/loop.h"

namespace hark {

void Engine::offer_to(Router::Target target, Event event, Answer answer) {
  auto& offers = offers_[event.source];
  offers.push_back({std::move(target), std::move(event), std::move(answer)});
  schedule_turn();
  // Under a flood of offers a run that has ended would wait until all of this round of the loop are looked at, and its slot with it. The
  // offers can wait: a turn with them takes ten times as long.
  if (runner_ == nullptr || in_turn_) return;
  runner_->collect();
  if (!reports_.empty()) turn(false);
}

std::optional<std::string> Engine::reason_to_refuse(Now now) const {
  if (draining_) return "hark is shutting down";
  if (halted_) return "an emergency stop: nothing is taken in until `hark daemon resume`";
  if (journal_fault_ && now.steady < journal_retry_) return "the journal cannot be written: " + *journal_fault_;
  return std::nullopt;
}

void Engine::refuse(Answer answer, std::string reason) {
  if (!answer) return;
  Acceptance acceptance;
  acceptance.reason = std::move(reason);
  parts_.loop.post([alive = alive_, answer = std::move(answer), acceptance = std::move(acceptance)] {
    if (*alive) answer(acceptance);
  });
}

std::vector<Engine::Offered> Engine::next_offers() {
  std::vector<Offered> taken;
  auto source = offers_.upper_bound(last_offered_);
  while (!offers_.empty() && taken.size() < limits::kEventsPerTurn) {
    if (source == offers_.end()) source = offers_.begin();
    last_offered_ = source->first;
    taken.push_back(std::move(source->second.front()));
    source->second.pop_front();
    source = source->second.empty() ? offers_.erase(source) : std::next(source);
  }
  return taken;
}

Status Engine::take_offer(Turn& turn, Offered& offered) {
  auto& event = offered.event;
  if (settings_.queue_overflow == QueueOverflow::error && queue_.size() >= settings_.queue_limit) {
    Acceptance full;
    full.reason = "the queue is full: " + std::to_string(queue_.size()) + " runs wait (queue_limit)";
    turn.answers.emplace_back(std::move(offered.answer), std::move(full));
    return {};
  }
  if (auto done = tag_own_changes(offered); !done) return done;
  if (auto done = write_marks(event.source, std::exchange(event.marks, {})); !done) return done;
  const auto duplicate = is_duplicate(turn, offered);
  if (!duplicate) return duplicate.error();
  if (*duplicate) return {};
  auto stored = add(turn, std::move(event));
  if (!stored) return stored.error();
  const auto& taken = **stored;
  if (taken.type == "schedule" && taken.replay_of.empty()) {  // else the schedule would believe itself back at that slot
    if (const auto slot = from_rfc3339(taken.subject)) turn.slots.emplace_back(taken.source, *slot);
  }
  Acceptance accepted;
  accepted.outcome = Acceptance::Outcome::accepted;
  accepted.event_id = taken.id;
  accepted.sequence = taken.sequence;
  turn.answers.emplace_back(std::move(offered.answer), std::move(accepted));
  turn.notices.emplace_back(lifecycle::EventReceived{*stored});
  return take_in(turn, *stored, offered.target);
}

// Asked and remembered in the transaction that stores the event. A replay is meant to be another one.
Result<bool> Engine::is_duplicate(Turn& turn, Offered& offered) {
  auto& event = offered.event;
  const auto* rule = router_.rule(event.source);
  if (!event.replay_of.empty()) {
    event.dedupe_key.clear();
  } else if (rule != nullptr && rule->dedupe_key) {
    const auto key = identity_for(*rule->dedupe_key, event);
    event.dedupe_key = key ? "key/" + event.source + "/" + *key : std::string{};
  }
  if (event.dedupe_key.empty()) return false;
  auto seen = parts_.journal.seen(event.dedupe_key, turn.now.wall);
  if (!seen) return seen.error();
  if (!*seen) return false;
  Acceptance duplicate;
  duplicate.outcome = Acceptance::Outcome::duplicate;
  duplicate.event_id = (*seen)->event_id;
  duplicate.sequence = (*seen)->sequence;
  Decision decision{(*seen)->sequence, turn.now.wall, Stage::dedupe, Verdict::dropped, {},
                    "another arrival with the key '" + event.dedupe_key + "' is the same event"};
  turn.answers.emplace_back(std::move(offered.answer), duplicate);
  event.id = duplicate.event_id;
  event.sequence = duplicate.sequence;
  if (auto done = decide(turn, std::make_shared<const Event>(std::move(event)), std::move(decision)); !done) return done.error();
  return true;
}

// The same for one of the sources that take it from the bus: for the others it may be new.
Result<bool> Engine::is_duplicate_for(Turn& turn, const EventPtr& event, const Rule& rule) {
  const auto identity = rule.dedupe_key ? identity_for(*rule.dedupe_key, *event) : std::nullopt;
  if (!identity) return false;
  const auto key = "key/" + rule.source + "/" + *identity;
  const auto seen = parts_.journal.seen(key, turn.now.wall);
  if (!seen) return seen.error();
  if (!*seen) {
    const auto until = turn.now.wall + std::chrono::duration_cast<std::chrono::microseconds>(rule.dedupe_window);
    if (auto done = parts_.journal.remember(key, {event->id, event->sequence}, until); !done) return done.error();
    return false;
  }
  if ((*seen)->sequence == event->sequence) return false;  // it is taken up again
  Decision decision{event->sequence, turn.now.wall, Stage::dedupe, Verdict::dropped, {}, "source '" + rule.source + "', key: it is the same event as " + (*seen)->event_id};
  if (auto done = decide(turn, event, std::move(decision)); !done) return done.error();
  return true;
}

// Stores an event and remembers its key.
Result<EventPtr> Engine::add(Turn& turn, Event event) {
  if (event.time == WallTime{}) event.time = turn.now.wall;
  if (event.id.empty()) event.id = ids_.next(turn.now.wall);
  if (event.correlation_id.empty()) event.correlation_id = event.id;
  if (event.ttl) event.expires = turn.now.wall + *event.ttl;
  const auto sequence = parts_.journal.add_event(event);
  if (!sequence) return sequence.error();
  event.sequence = *sequence;
  ++stored_since_prune_;
  if (!event.dedupe_key.empty()) {
    const auto* rule = router_.rule(event.source);
    const auto window = rule != nullptr ? rule->dedupe_window : Rule{}.dedupe_window;
    const auto until = turn.now.wall + std::chrono::duration_cast<std::chrono::microseconds>(window);
    if (auto done = parts_.journal.remember(event.dedupe_key, {event.id, event.sequence}, until); !done) return done.error();
  }
  auto stored = std::make_shared<const Event>(std::move(event));
  turn.stored.push_back(stored);
  if (auto done = wake_for(turn, stored); !done) return done.error();
  return stored;
}

Status Engine::write_marks(const std::string& source, const std::vector<std::pair<std::string, std::string>>& marks) {
  for (const auto& [name, value] : marks) {
    if (auto done = parts_.journal.set_mark(source, name, value); !done) return done;
  }
  return {};
}

void Engine::replace_marks(const std::string& source, MarkSet marks) {
  ask(
      [this, source, marks = std::move(marks)](Turn&, Status&) -> Status {
        if (auto done = parts_.journal.delete_marks(source); !done) return done;
        return write_marks(source, {marks.begin(), marks.end()});
      },
      nullptr);
}

void Engine::note_marks(const std::string& source, std::vector<std::pair<std::string, std::string>> marks) {
  ask([this, source, marks = std::move(marks)](Turn&, Status&) { return write_marks(source, marks); }, nullptr);
}

// A source that comes back after a time without it begins anew.
void Engine::forget_marks_of_others() {
  std::vector<std::string> names;
  for (const auto& source : settings_.sources) names.push_back(source.name);
  ask([this, names = std::move(names)](Turn&, Status&) { return parts_.journal.keep_marks(names); }, nullptr);
}

}  // namespace hark
