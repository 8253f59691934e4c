#include "daemon/engine.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "daemon/engine_settings.h"
#include "daemon/engine_turn.h"
#include "platform/clock.h"
#include "platform/loop.h"

namespace hark {

Engine::Engine(Settings settings, EngineParts parts, LastRun last_run, std::uint64_t seed)
    : settings_(std::move(settings)),
      parts_(std::move(parts)),
      ids_(seed),
      owner_(this_process()),
      router_(rules_of(settings_)),
      watching_(watching_of(settings_)),
      restarting_(restarting_of(settings_)),
      queue_(settings_.max_concurrent_handlers, settings_.queue_limit),
      executor_(queue_, parts_.journal, owner_),
      last_run_(std::move(last_run)),
      signals_(signals_of(settings_)),
      hooks_(hooks_of(settings_)),
      timer_(parts_.loop.timer()),
      prune_timer_(parts_.loop.timer()),
      state_timer_(parts_.loop.timer()),
      drain_timer_(parts_.loop.timer()),
      activity_timer_(parts_.loop.timer()) {
  executor_.set_handlers(handlers_of(settings_));
  queue_.set_throttles(throttles_of(settings_));
  prune_timer_->at(parts_.clock.now().steady + limits::kPruneInterval, [this] { prune_and_go_on(); });
}

Engine::~Engine() { *alive_ = false; }

void Engine::reconfigure(Settings settings) {
  const bool other_throttles = throttles_of(settings) != throttles_of(settings_);
  // A breaker counts for the options it was made with.
  std::erase_if(breakers_, [&](const auto& entry) {
    const auto* before = handler(entry.first);
    const auto now = std::find_if(settings.handlers.begin(), settings.handlers.end(), [&](const Handler& each) { return each.name == entry.first; });
    if (before != nullptr && now != settings.handlers.end() && before->breaker == now->breaker) return false;
    queue_.set_flow(entry.first, RunQueue::Flow::open);
    ask([this, name = entry.first](Turn&, Status&) { return parts_.journal.set_breaker({name, 0, {}}); }, nullptr);
    return true;
  });
  settings_ = std::move(settings);
  router_.set_rules(rules_of(settings_));
  watching_ = watching_of(settings_);
  restarting_ = restarting_of(settings_);
  signals_ = signals_of(settings_);
  hooks_ = hooks_of(settings_);
  hook_faults_.clear();
  executor_.set_handlers(handlers_of(settings_));
  queue_.slots().set_cap(settings_.max_concurrent_handlers);
  queue_.set_runs_in_memory(settings_.queue_limit);
  queue_.caps_changed();
  forget_marks_of_others();
  if (other_throttles) ask([this](Turn& turn, Status&) { return refill_queue(turn.now, turn.reports); }, nullptr);
  // Now: what the new rules let go is written before anybody hears of them, and more may run than before.
  turn(false);
}

RunReports Engine::reports() {
  RunReports reports;
  reports.step_finished = [this](const Run& run, std::size_t index, const StepResult& step) {
    reports_.emplace_back(StepReport{run.sequence, run.attempt, lifecycle::of(run), index, step});
    schedule_turn();
  };
  reports.told = [this](lifecycle::Any event) {
    reports_.emplace_back(std::move(event));
    schedule_turn();
  };
  reports.finished = [this](Run run) {
    reports_.emplace_back(RunReport{std::move(run)});
    schedule_turn();
  };
  return reports;
}

// Posted, not called: what else became ready in this round of the loop joins the same transaction.
void Engine::schedule_turn() {
  if (std::exchange(turn_scheduled_, true)) return;
  parts_.loop.post([this, alive = alive_] {
    if (!*alive) return;
    turn_scheduled_ = false;
    turn();
  });
}

void Engine::turn(bool with_offers) {
  in_turn_ = true;
  Turn turn;
  turn.now = parts_.clock.now();
  if (const auto reason = reason_to_refuse(turn.now)) {
    for (auto& [source, offers] : std::exchange(offers_, {})) {
      for (auto& offered : offers) refuse(std::move(offered.answer), *reason);
    }
  }
  if (journal_fault_ && turn.now.steady < journal_retry_) {
    arm_timer();
    check_drained();
    in_turn_ = false;
    return;  // reports wait until the journal can be written again
  }
  if (with_offers) turn.offers = next_offers();
  turn.asked.assign(std::make_move_iterator(asked_.begin()), std::make_move_iterator(asked_.end()));
  asked_.clear();
  turn.reports = std::exchange(reports_, {});
  turn.replies = std::exchange(replies_, {});

  auto done = parts_.journal.begin();
  if (done) done = transact(turn);
  if (done) done = parts_.journal.commit();
  if (done) {
    committed(turn);
  } else {
    parts_.journal.rollback();
    failed(turn, done.error());
  }
  if (!offers_.empty()) schedule_turn();
  arm_timer();
  in_turn_ = false;
  check_drained();
}

Status Engine::transact(Turn& turn) {
  if (journal_fault_) {
    if (auto done = parts_.journal.probe(); !done) return done;
  }
  for (auto& asked : turn.asked) {
    if (auto done = asked.act(turn, asked.outcome); !done) return done;
  }
  if (recovered_ && !turn.offers.empty()) {
    const auto others = parts_.journal.written_elsewhere();
    if (!others) return others.error();
    waits_stale_ = waits_stale_ || *others;
  }
  if (auto done = take_up_waits(turn); !done) return done;
  for (auto& report : turn.reports) {
    if (auto done = std::visit([&](auto& each) { return take_report(turn, each); }, report); !done) return done;
  }
  if (auto done = release_unasked(turn); !done) return done;
  for (auto& reply : turn.replies) {
    if (auto done = take_reply(turn, reply); !done) return done;
  }
  for (auto& offered : turn.offers) {
    if (auto done = take_offer(turn, offered); !done) return done;
  }
  if (auto done = fire_debounces(turn); !done) return done;
  if (auto done = end_waits(turn); !done) return done;
  if (auto done = pass_over_oldest(turn); !done) return done;
  wake_breakers(turn.now.steady);
  if (draining_) return {};  // what waits goes on at the next start
  auto plan = executor_.plan(turn.now, [this](const std::string& handler) -> std::optional<WallTime> {
    const auto known = last_run_.handlers.find(handler);
    return known == last_run_.handlers.end() ? std::nullopt : known->second.last_success;
  }, [this](const Run& run) { return !run.direct && paused_sessions_.contains(run.correlation_id); });
  if (!plan) return plan.error();
  if (auto done = put_aside(turn, std::move(plan->kept_back)); !done) return done;
  if (auto done = make_way(turn); !done) return done;
  turn.launches = std::move(plan->start);
  if (!plan->failed.empty()) schedule_turn();  // the next of their keys may go
  for (auto& run : plan->failed) {
    if (auto done = settle(turn, std::move(run), nullptr, nullptr); !done) return done;
  }
  return {};
}

Status Engine::decide(Turn& turn, const EventPtr& event, Decision decision) {
  auto done = parts_.journal.add_decision(decision);
  if (decision.verdict == Verdict::dropped) turn.notices.emplace_back(lifecycle::EventDropped{event, std::move(decision)});
  return done;
}

Status Engine::fire_debounces(Turn& turn) {
  for (auto& fired : router_.fire(turn.now.steady)) {
    std::vector<EventPtr> about;
    for (const auto& held : fired.batch.events) about.push_back(held.event);
    if (fired.merged) {
      auto merged = add(turn, *fired.merged);
      if (!merged) return merged.error();
      about.push_back(*merged);
    }
    const auto& source = fired.batch.key.first;
    if (auto done = store_decided(turn, router_.release(fired, about.back(), turn.now), about); !done) return done;
    for (const auto& event : about) {
      auto done = is_published(*event) ? parts_.journal.set_gathered(event->sequence, source) : parts_.journal.set_routed(event->sequence);
      if (!done) return done;
    }
  }
  return {};
}

// Writes what the router decided about these events, and the runs that follow.
Status Engine::store_decided(Turn& turn, const Router::Routed& routed, const std::vector<EventPtr>& about) {
  for (const auto& decision : routed.decisions) {
    const auto event = std::find_if(about.begin(), about.end(), [&](const EventPtr& e) { return e->sequence == decision.event_sequence; });
    if (auto done = decide(turn, event == about.end() ? about.back() : *event, decision); !done) return done;
  }
  for (const auto& start : routed.starts) {
    if (auto done = take_start(turn, start); !done) return done;
  }
  return {};
}

Status Engine::store(Turn& turn, const Router::Routed& routed, const std::vector<EventPtr>& about) {
  if (auto done = store_decided(turn, routed, about); !done) return done;
  for (const auto& event : about) {
    if (routed.gathering.empty()) {
      if (auto done = parts_.journal.set_routed(event->sequence); !done) return done;
    } else if (is_published(*event)) {  // other sources have taken it, perhaps, and begun with it
      if (auto done = parts_.journal.set_gathering(event->sequence, routed.gathering); !done) return done;
    }
  }
  return {};
}

// To whom its source's rule says, or the rules that take it from the bus.
Status Engine::route(Turn& turn, const EventPtr& event, Router::Target target) {
  if (is_published(*event) && !target.direct && event->replay_of.empty()) {
    for (const auto* rule : router_.rules_for(*event)) {
      const auto duplicate = is_duplicate_for(turn, event, *rule);
      if (!duplicate) return duplicate.error();
      if (*duplicate) target.except.push_back(rule->source);
    }
  }
  const auto routed = router_.route(event, target, turn.now);
  if (is_published(*event)) {
    for (const auto* rule : router_.rules_for(*event)) ++taken_from_bus_[rule->source];
  }
  return store(turn, routed, {event});
}

Status Engine::start_run(Turn& turn, const Router::Start& start) {
  if (settings_.queue_overflow == QueueOverflow::drop && queue_.size() >= settings_.queue_limit) {
    return decide(turn, start.event, {start.event->sequence, turn.now.wall, Stage::queue, Verdict::dropped, start.handler,
                                      "the queue is full: " + std::to_string(queue_.size()) + " runs wait (queue_limit)"});
  }
  if (const auto* handler = this->handler(start.handler); handler != nullptr && handler->on_busy != OnBusy::queue) {
    bool drop = false;
    if (auto done = make_room(turn, start, *handler, drop); !done || drop) return done;
  }
  Run run;
  run.id = ids_.next(turn.now.wall);
  run.handler = start.handler;
  run.event_id = start.event->id;
  run.event_sequence = start.event->sequence;
  run.event_type = start.event->type;
  run.source = start.source;
  run.correlation_id = start.event->correlation_id;
  run.traceparent = start.event->traceparent;
  run.priority = start.priority;
  run.key = start.key;
  run.direct = start.direct;
  run.not_before = start.not_before;
  run.queued = turn.now.wall;
  const auto throttled = queue_.throttled(run, turn.now.steady);
  if (throttled && throttled->room <= throttled->waiting) {
    if (auto done = decide(turn, start.event, {start.event->sequence, turn.now.wall, Stage::queue, Verdict::held, start.handler, told(*throttled, turn.now)}); !done) return done;
  }
  const auto sequence = parts_.journal.add_run(run, owner_);
  if (!sequence) return sequence.error();
  run.sequence = *sequence;
  turn.notices.emplace_back(lifecycle::EventQueued{start.event, start.handler});
  turn.notices.emplace_back(lifecycle::RunQueued{std::make_shared<const Run>(run)});
  queue_.push({std::move(run), start.event}, turn.now);
  return {};
}

void Engine::committed(Turn& turn) {
  // First of all the runs: everything below can happen while the first of them is already starting.
  const bool watched = own_changes_.any_under_way();
  for (const auto& planned : turn.launches) {
    if (watching_.contains(planned.assignment.run.handler)) own_changes_.begin(planned.assignment.run.handler, planned.assignment.run.id, turn.now.wall);
    const auto run = std::make_shared<const Run>(planned.assignment.run);
    if (planned.resumed) {
      turn.notices.emplace_back(lifecycle::RunResumed{run});
    } else {
      turn.notices.emplace_back(lifecycle::RunStarted{run});
      turn.notices.emplace_back(lifecycle::HandlerStart{run});
    }
    if (!run->steps.empty()) continue;  // it goes on where an earlier attempt was: the pipeline tells where that is
    turn.notices.emplace_back(lifecycle::IterationStarted{lifecycle::of(*run), 1});
    const auto& steps = planned.assignment.handler->steps;
    if (!steps.empty()) turn.notices.emplace_back(lifecycle::PhaseStarted{lifecycle::of(*run), steps.front().name});
  }
  executor_.launch(std::move(turn.launches), *runner_);
  queue_.began(parts_.clock.now().steady);
  for (auto& [run, why] : turn.ends) executor_.cancel(run, std::move(why));
  if (turn.halts) {
    if (parts_.hurry) parts_.hurry(true);
    for (const auto& run : executor_.running()) cut_short_.insert(run.id);
    executor_.cut_off();
  }
  if (!watched && own_changes_.any_under_way()) watch_activity();

  if (journal_fault_) {
    say("info", "the journal can be written again");
    journal_fault_.reset();
  }
  std::vector<WhenDurable> answers;
  for (auto& [answer, acceptance] : turn.answers) {
    if (!answer) continue;
    answers.push_back([answer = std::move(answer), acceptance = std::move(acceptance)](const Status& durable) mutable {
      if (!durable) {
        acceptance = {};  // it may run all the same; a sender who asks again is told of the first by its key
        acceptance.reason = "the journal may not survive a power loss: " + durable.error().message;
      }
      answer(acceptance);
    });
  }
  for (auto& asked : turn.asked) {
    if (!asked.done) continue;
    answers.push_back([done = std::move(asked.done), outcome = std::move(asked.outcome)](const Status& durable) { done(outcome ? durable : outcome); });
  }
  for (const auto& [schedule, slot] : turn.slots) {
    last_run_.schedules[schedule] = slot;
    state_dirty_ = settings_.persist_last_run;
  }
  for (const auto& run : turn.ended) {
    if (is_final(run->state)) {
      last_run_.note(*run);
      state_dirty_ = settings_.persist_last_run;
    }
    const auto watching = watches_.equal_range(run->event_id);
    for (auto next = watching.first; next != watching.second;) {
      const auto watch = next++;
      watch->second.ended.push_back(*run);
      if (--watch->second.open_runs > 0) continue;
      answers.push_back([callback = std::move(watch->second.callback), ended = std::move(watch->second.ended)](const Status&) { callback(ended); });
      watches_.erase(watch);
    }
  }
  const bool stored_events = !turn.stored.empty();
  if (parts_.durable && stored_events) {
    answers.push_back([this, stored = std::move(turn.stored)](const Status& durable) {
      if (durable) parts_.durable(stored);
    });
  }
  if (!answers.empty() || stored_events) answer_when_durable(std::move(answers));
  for (const auto& event_id : turn.let_go) watch_again(event_id);
  ask_hooks(turn.now);
  for (const auto& notice : turn.notices) parts_.emitter.emit(notice);
  save_state();
  prune_if_many();
}

void Engine::failed(Turn& turn, const Error& error) {
  if (!journal_fault_) say("error", "the journal cannot be written, events are refused: " + error.text());
  journal_fault_ = error.message;
  journal_retry_ = turn.now.steady + limits::kJournalRetry;
  for (auto& offered : turn.offers) {
    // take_offer may have moved the answer on already.
    refuse(std::move(offered.answer), "the journal cannot be written: " + error.message);
  }
  for (auto& [answer, acceptance] : turn.answers) refuse(std::move(answer), "the journal cannot be written: " + error.message);
  for (auto& asked : turn.asked) {
    if (asked.done) parts_.loop.post([done = std::move(asked.done), error] { done(error); });
  }
  reports_.insert(reports_.begin(), std::make_move_iterator(turn.reports.begin()), std::make_move_iterator(turn.reports.end()));
  turn.launches.clear();  // gives their slots back; their runs are read again as waiting
  if (auto done = reload_waiting(turn.now); !done) say("error", "cannot read the journal: " + done.error().text());
}

void Engine::answer_when_durable(std::vector<WhenDurable> answers) {
  parts_.journal.sync([this, alive = alive_, &loop = parts_.loop, answers = std::move(answers)](Status durable) mutable {
    if (answers.empty() && durable) return;
    loop.post([this, alive, answers = std::move(answers), durable = std::move(durable)]() mutable {
      if (!*alive) return;
      if (!durable) say("error", "the journal may not survive a power loss: " + durable.error().text());
      for (auto& answer : answers) answer(durable);
    });
  });
}

void Engine::when_ended(const std::string& event_id, RunsEnded callback) {
  Watch watch;
  RunQuery query;
  query.event_id = event_id;
  query.limit = limits::kHandlers;
  if (const auto runs = parts_.journal.runs(query)) {
    for (const auto& run : *runs) {
      if (!is_final(run.state)) {
        ++watch.open_runs;
      } else if (auto whole = parts_.journal.run(run.id); whole && *whole) {  // with its steps
        watch.ended.push_back(std::move(**whole));
      }
    }
  }
  watch.open_runs += std::size_t(std::count_if(held_.begin(), held_.end(), [&](const auto& held) { return held.second.event->id == event_id; }));
  if (watch.open_runs == 0) {
    answer_when_durable({[callback = std::move(callback), ended = std::move(watch.ended)](const Status&) { callback(ended); }});
    return;
  }
  watch.callback = std::move(callback);
  watches_.emplace(event_id, std::move(watch));
}

// Of what hooks held of it something else became: runs, or nothing.
void Engine::watch_again(const std::string& event_id) {
  std::vector<RunsEnded> callbacks;
  const auto watching = watches_.equal_range(event_id);
  for (auto watch = watching.first; watch != watching.second; ++watch) callbacks.push_back(std::move(watch->second.callback));
  watches_.erase(watching.first, watching.second);
  for (auto& callback : callbacks) when_ended(event_id, std::move(callback));
}

void Engine::arm_timer() {
  std::optional<SteadyTime> next = router_.next_due();
  const auto sooner = [&](std::optional<SteadyTime> time) {
    if (time && (!next || *time < *next)) next = time;
  };
  const auto now = parts_.clock.now();
  for (const auto& [sequence, waiting] : waits_) {
    if (const auto until = waiting.kept.wait.until) sooner(now.steady + std::max(*until - now.wall, WallTime::duration::zero()));
  }
  if (!draining_) {
    sooner(queue_.next_due());
    sooner(make_way_at_);
    for (const auto& [handler, breaker] : breakers_) {
      if (breaker.state() == Breaker::State::open) sooner(breaker.until());
    }
  }
  if (journal_fault_) next = journal_retry_;  // nothing is decided before; then it is tried, also when nobody offers anything
  if (!next) return timer_->cancel();
  timer_->at(*next, [this] { schedule_turn(); });
}

void Engine::say(std::string_view level, std::string message) { parts_.emitter.emit(lifecycle::Note{level, std::move(message)}); }

}  // namespace hark
