// Runs that publish events, and runs that wait for one: those stand in the journal, without a slot, until it comes or their time is over.
#include <utility>

#include <nlohmann/json.hpp>

#include "core/event_json.h"
#include "core/payload.h"
#include "daemon/engine_turn.h"
#include "daemon/owners.h"

namespace hark {
namespace {

StepResult end_of(const Wait& wait, WallTime now, StepState state, std::string error) {
  StepResult row;
  row.name = wait.step;
  row.part = wait.part;
  row.iteration = wait.iteration;
  row.state = state;
  row.started = wait.since;
  row.duration = std::max(now - wait.since, WallTime::duration::zero());
  row.error = std::move(error);
  return row;
}

StepResult out_of_time(const Wait& wait, WallTime now) {
  return end_of(wait, now, wait.tolerated ? StepState::tolerated : StepState::timed_out, "there came no " + told(wait).substr(std::string_view("an ").size()));
}

}  // namespace

// Once a step and run, however many attempts that takes: what an earlier one has published is found by its id.
Status Engine::take_published(Turn& turn, std::uint64_t run_sequence, const Event& event) {
  const auto known = parts_.journal.event(event.id);
  if (!known) return known.error();
  if (*known) return parts_.journal.set_heard(run_sequence, (*known)->sequence);
  auto stored = add(turn, event);
  if (!stored) return stored.error();
  if (auto done = parts_.journal.set_heard(run_sequence, (*stored)->sequence); !done) return done;
  turn.notices.emplace_back(lifecycle::EventReceived{*stored});
  return take_in(turn, *stored, {});
}

// The run has come to wait, and its slot is free; it keeps its key.
Status Engine::park(Turn& turn, Run run, const Executor::Finished& ended) {
  const auto wait = std::move(*std::exchange(run.wait, std::nullopt));
  run.steps.clear();
  if (ended.cancelled) return go_on(turn, std::move(run), ended.event, wait, end_of(wait, turn.now.wall, StepState::cancelled, ended.why));
  auto pattern = EventPattern::parse(wait.types, wait.topic, wait.where);
  if (!pattern) return go_on(turn, std::move(run), ended.event, wait, end_of(wait, turn.now.wall, StepState::failed, pattern.error().text()));
  auto there = what_came(run, *pattern, turn.now.wall);
  if (!there) return there.error();
  if (*there) return wake(turn, std::move(run), ended.event, wait, *there);
  if (auto done = parts_.journal.add_wait(run.sequence, wait); !done) return done;
  run.error = "waits for " + told(wait);
  if (auto done = parts_.journal.update_run(run, owner_); !done) return done;
  if (auto done = decide(run, turn.now.wall, Verdict::held, "step '" + wait.step + "' " + run.error); !done) return done;
  Journal::KeptWait kept{run.sequence, run.handler, run.key, wait, owner_};
  waits_.insert_or_assign(run.sequence, Waiting{std::move(kept), std::move(*pattern)});
  turn.notices.emplace_back(lifecycle::RunWaiting{std::make_shared<const Run>(std::move(run))});
  return {};
}

// The first event that the run waits for, among those that are there already.
Result<EventPtr> Engine::what_came(const Run& run, const EventPattern& pattern, WallTime now) {
  const auto heard = parts_.journal.heard(run.sequence);
  if (!heard) return heard.error();
  Status trouble;
  EventPtr found;
  const auto look = [&](std::uint64_t sequence, std::string_view type, std::string_view topic) {
    if (!pattern.may_match(type, topic)) return true;
    auto event = parts_.journal.event_at(sequence);
    if (!event) {
      trouble = event.error();
    } else if (*event && !has_expired(**event, now) && pattern.matches(**event)) {
      found = std::make_shared<const Event>(std::move(**event));
    }
    return trouble && !found;
  };
  if (auto done = parts_.journal.each_event_after(*heard, look); !done) return done.error();
  if (!trouble) return trouble.error();
  return found;
}

// The event that the run waits for is there.
Status Engine::wake(Turn& turn, Run run, const EventPtr& event, const Wait& wait, const EventPtr& came) {
  if (auto done = parts_.journal.set_heard(run.sequence, came->sequence); !done) return done;
  if (auto done = decide(turn, came, {came->sequence, turn.now.wall, Stage::executor, Verdict::passed, run.handler, "run " + run.id + " waited for it in step '" + wait.step + "'"}); !done) return done;
  if (auto done = decide(run, turn.now.wall, Verdict::passed, "step '" + wait.step + "' has waited for event " + came->id); !done) return done;
  auto row = end_of(wait, turn.now.wall, StepState::succeeded, {});
  row.output = write_json(to_json(*came));
  row.output_bytes = row.output.size();  // all of it, in memory: an event is bounded by itself
  return go_on(turn, std::move(run), event, wait, std::move(row));
}

// The wait has come to an end, of which `row` tells.
Status Engine::go_on(Turn& turn, Run run, const EventPtr& event, const Wait& wait, StepResult row) {
  waits_.erase(run.sequence);
  if (auto done = parts_.journal.remove_wait(run.sequence); !done) return done;
  if (auto done = parts_.journal.add_step(run.sequence, run.attempt, wait.index, row); !done) return done;
  turn.notices.emplace_back(lifecycle::PhaseComplete{lifecycle::of(run), std::move(row)});
  run.state = RunState::queued;
  run.error.clear();
  if (auto done = parts_.journal.update_run(run, owner_); !done) return done;
  queue_.push_again({std::move(run), event}, turn.now);
  return {};
}

// Does `how` with a run that waits.
Status Engine::with_waiting(std::uint64_t run_sequence, const std::function<Status(Run, const Wait&)>& how) {
  const auto wait = waits_.at(run_sequence).kept.wait;
  auto run = parts_.journal.run_at(run_sequence);
  if (!run) return run.error();
  if (*run) return how(std::move(**run), wait);
  waits_.erase(run_sequence);
  return parts_.journal.remove_wait(run_sequence);
}

// An event was stored: who waits for it?
Status Engine::wake_for(Turn& turn, const EventPtr& event) {
  std::vector<std::uint64_t> woken;
  for (const auto& [sequence, waiting] : waits_) {
    if (waiting.pattern.matches(*event)) woken.push_back(sequence);
  }
  for (const auto sequence : woken) {
    if (auto done = with_waiting(sequence, [&](Run run, const Wait& wait) { return wake(turn, std::move(run), nullptr, wait, event); }); !done) return done;
  }
  return {};
}

// Somebody wants the run to end: it goes on, to clean up after itself.
Status Engine::end_wait(Turn& turn, std::uint64_t run_sequence, const std::string& why) {
  return with_waiting(run_sequence, [&](Run run, const Wait& wait) {
    return go_on(turn, std::move(run), nullptr, wait, end_of(wait, turn.now.wall, StepState::cancelled, why));
  });
}

// Those whose time is over.
Status Engine::end_waits(Turn& turn) {
  std::vector<std::uint64_t> over;
  for (const auto& [sequence, waiting] : waits_) {
    if (waiting.kept.wait.until && *waiting.kept.wait.until <= turn.now.wall) over.push_back(sequence);
  }
  for (const auto sequence : over) {
    const auto late = [&](Run run, const Wait& wait) { return go_on(turn, std::move(run), nullptr, wait, out_of_time(wait, turn.now.wall)); };
    if (auto done = with_waiting(sequence, late); !done) return done;
  }
  return {};
}

// Those of this process, and of ones that have ended.
Status Engine::read_waits() {
  auto kept = parts_.journal.waits();
  if (!kept) return kept.error();
  auto before = std::exchange(waits_, {});
  Elsewhere elsewhere(owner_);
  for (auto& each : *kept) {
    if (auto known = before.extract(each.run_sequence); !known.empty()) {
      waits_.insert(std::move(known));
      continue;
    }
    if (elsewhere(each.owner) || (!recovered_ && each.owner.pid != owner_.pid)) continue;
    auto pattern = EventPattern::parse(each.wait.types, each.wait.topic, each.wait.where);
    if (!pattern) return pattern.error();
    queue_.keep_key(each.handler, each.key);
    const auto sequence = each.run_sequence;
    waits_.emplace(sequence, Waiting{std::move(each), std::move(*pattern), false});
  }
  for (const auto& [sequence, gone] : before) queue_.done(gone.kept.handler, gone.kept.key);
  return {};
}

// What they wait for may have come while nobody looked.
Status Engine::take_up_waits(Turn& turn) {
  if (waits_stale_) {
    if (auto done = read_waits(); !done) return done;
  }
  waits_stale_ = false;
  std::vector<std::uint64_t> open;
  for (auto& [sequence, waiting] : waits_) {
    if (!std::exchange(waiting.looked, true)) open.push_back(sequence);
  }
  for (const auto sequence : open) {
    const auto look = [&, pattern = waits_.at(sequence).pattern](Run run, const Wait& wait) -> Status {
      const auto came = what_came(run, pattern, turn.now.wall);
      if (!came) return came.error();
      return *came ? wake(turn, std::move(run), nullptr, wait, *came) : Status();
    };
    if (auto done = with_waiting(sequence, look); !done) return done;
  }
  return {};
}

}  // namespace hark
