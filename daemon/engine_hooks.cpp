// What hooks hold back: an event before it is routed, a start of a handler before its run is queued. It stands in the journal (`held`) from
// before the first hook is asked until the last one has answered, and is asked about again after a restart. Those of one lane go on in the
// order they came, asked about or not, so that hooks do not change the order of a key.
#include <algorithm>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/lifecycle_json.h"
#include "core/limits.h"
#include "core/printable.h"
#include "daemon/engine_turn.h"
#include "daemon/owners.h"
#include "platform/clock.h"

namespace hark {

namespace {

std::string told(const Hook& hook) { return "hook '" + hook.name + "'"; }

lifecycle::Any question_about(const Journal::Held& held, const EventPtr& event) {
  if (held.start) return lifecycle::EventQueued{event, held.handler};
  return lifecycle::EventReceived{event};
}

// A key keeps its order whatever the source, as in the queue; without one all that a source tells is one line.
std::string lane_of(const Event& event, const std::optional<std::string>& key) { return key ? "key/" + *key : "source/" + event.source; }

// Where a published event comes from. No run: it begins a story of its own.
struct Cause {
  std::string correlation_id;
  std::string run_id;
  std::uint64_t event_sequence = 0;  // 0: there is no event
};

Cause cause_of(const lifecycle::Any& any) {
  return std::visit(
      [](const auto& told) -> Cause {
        if constexpr (requires { told.event->data; }) {
          return {told.event->correlation_id, told.event->causation_id, told.event->sequence};
        } else if constexpr (requires { told.run->state; }) {
          return {told.run->correlation_id, told.run->id, told.run->event_sequence};
        } else if constexpr (requires { told.run_id; }) {
          return {told.correlation_id, told.run_id};
        } else {
          return {};
        }
      },
      any);
}

}  // namespace

Status Engine::skip(Turn& turn, const EventPtr& event, const std::string& handler, const Hook& hook, std::string reason) {
  return decide(turn, event, {event->sequence, turn.now.wall, Stage::hook, Verdict::dropped, handler, told(hook) + " skips it" + (reason.empty() ? "" : ": " + reason)});
}

// An event that has just been written. What routes it otherwise is Router::route().
Status Engine::take_in(Turn& turn, const EventPtr& event, const Router::Target& target) {
  if (auto done = take_signal(turn, event); !done) return done;
  const lifecycle::EventReceived about{event};
  if (const auto hook = skipped_by(hooks_, about)) {
    if (auto done = skip(turn, event, {}, *hook, hook->where.empty() ? "" : "where: " + hook->where.text()); !done) return done;
    return parts_.journal.set_routed(event->sequence);
  }
  auto asked = asked_about(hooks_, about);
  auto lane = "received/" + lane_of(*event, router_.key(*event));
  if (asked.empty() && !lanes_.contains(lane)) return route(turn, event, target);
  return hold(turn, {.event_sequence = event->sequence, .handler = target.handler, .direct = target.direct, .without = target.without}, event, std::move(lane), std::move(asked));
}

Status Engine::take_start(Turn& turn, const Router::Start& start) {
  const lifecycle::EventQueued about{start.event, start.handler};
  if (const auto hook = skipped_by(hooks_, about)) return skip(turn, start.event, start.handler, *hook, hook->where.empty() ? "" : "where: " + hook->where.text());
  auto asked = asked_about(hooks_, about);
  auto lane = "queued/" + start.handler + "/" + lane_of(*start.event, start.key);
  if (asked.empty() && !lanes_.contains(lane)) return start_run(turn, start);
  Journal::Held kept;
  kept.event_sequence = start.event->sequence;
  kept.start = true;
  kept.handler = start.handler;
  kept.direct = start.direct;
  kept.priority = start.priority;
  kept.key = start.key;
  kept.not_before = start.not_before;
  kept.source = start.source;
  return hold(turn, std::move(kept), start.event, std::move(lane), std::move(asked));
}

Status Engine::hold(Turn& turn, Journal::Held kept, const EventPtr& event, std::string lane, std::vector<HookPtr> hooks) {
  const auto why = hooks.empty() ? "waits behind one that a hook holds back" : "waits for the answer of " + told(*hooks.front());
  if (auto done = decide(turn, event, {event->sequence, turn.now.wall, Stage::hook, Verdict::held, kept.start ? kept.handler : "", why}); !done) return done;
  const auto id = parts_.journal.add_held(kept, owner_);
  if (!id) return id.error();
  kept.id = *id;
  if (!hooks.empty()) to_ask_.push_back(*id);
  lanes_[lane].push_back(*id);
  held_.insert_or_assign(*id, Held{std::move(kept), event, std::move(lane), std::move(hooks)});
  return {};
}

void Engine::forget_held(std::uint64_t id) {
  const auto found = held_.find(id);
  const auto lane = lanes_.find(found->second.lane);
  std::erase(lane->second, id);
  if (lane->second.empty()) lanes_.erase(lane);
  held_.erase(found);
}

Status Engine::take_reply(Turn& turn, HookReply& reply) {
  const auto found = held_.find(reply.held);
  if (found == held_.end() || found->second.question != reply.question) return {};  // it went on meanwhile
  auto& held = found->second;
  held.question = 0;
  const auto hook = held.hooks.front();
  const auto lane = held.lane;
  const auto handler = held.kept.start ? held.kept.handler : std::string{};
  if (!reply.answer) {
    note_hook(hook->name, &reply.answer.error(), turn.notices);
    if (auto done = pass_over(turn, held, reply.answer.error()); !done) return done;
  } else {
    note_hook(hook->name, nullptr, turn.notices);
    if (reply.answer->skip) {
      if (auto done = parts_.journal.remove_held(reply.held); !done) return done;
      const auto event = held.event;
      if (auto done = held.kept.start ? Status() : parts_.journal.set_routed(event->sequence); !done) return done;
      turn.let_go.push_back(event->id);
      forget_held(reply.held);
      if (auto done = skip(turn, event, handler, *hook, reply.answer->reason); !done) return done;
      return release(turn, lane);
    }
    if (auto done = decide(turn, held.event, {held.event->sequence, turn.now.wall, Stage::hook, Verdict::passed, handler, told(*hook) + " lets it go on"}); !done) return done;
    held.hooks.erase(held.hooks.begin());
  }
  if (!held.hooks.empty()) {
    to_ask_.push_back(reply.held);
    return {};
  }
  return release(turn, lane);
}

// The first of its hooks gave no answer: it goes on as if there were none.
Status Engine::pass_over(Turn& turn, Held& held, const Error& error) {
  const auto hook = held.hooks.front();
  held.hooks.erase(held.hooks.begin());
  return decide(turn, held.event,
                {held.event->sequence, turn.now.wall, Stage::hook, Verdict::passed, held.kept.start ? held.kept.handler : "", told(*hook) + " is passed over: " + error.message});
}

// The oldest of all is the first of its lane.
Status Engine::pass_over_oldest(Turn& turn) {
  if (held_.size() <= limits::kHookHeld / 2) hooks_flooded_ = false;
  while (held_.size() > limits::kHookHeld) {
    auto& oldest = held_.begin()->second;
    const auto many = "more than " + std::to_string(limits::kHookHeld) + " events wait for hooks";
    const Error flooded{many + ", and this one waited longest", ""};
    if (!std::exchange(hooks_flooded_, true)) {
      turn.notices.emplace_back(lifecycle::Note{"warn", many + ": those that waited longest go on without an answer (let the hooks answer sooner, or narrow their `on` and `where`)"});
    }
    while (!oldest.hooks.empty()) {
      if (auto done = pass_over(turn, oldest, flooded); !done) return done;
    }
    oldest.question = 0;
    const auto lane = oldest.lane;
    if (auto done = release(turn, lane); !done) return done;
  }
  return {};
}

// What was read again and no hook asks about any more.
Status Engine::release_unasked(Turn& turn) {
  for (const auto id : std::vector(to_ask_)) {
    const auto found = held_.find(id);
    if (found == held_.end() || !found->second.hooks.empty()) continue;
    const auto lane = found->second.lane;
    if (auto done = release(turn, lane); !done) return done;
  }
  return {};
}

Status Engine::release(Turn& turn, const std::string& lane) {
  for (auto line = lanes_.find(lane); line != lanes_.end(); line = lanes_.find(lane)) {
    const auto id = line->second.front();
    if (!held_.at(id).hooks.empty()) return {};
    const auto held = held_.at(id);
    forget_held(id);
    if (auto done = parts_.journal.remove_held(id); !done) return done;
    turn.let_go.push_back(held.event->id);
    const auto& kept = held.kept;
    const auto done = kept.start ? start_run(turn, {held.event, kept.handler, kept.priority, kept.key, kept.not_before, kept.direct, kept.source.empty() ? held.event->source : kept.source})
                                 : route(turn, held.event, {kept.handler, kept.direct, kept.without});
    if (!done) return done;
  }
  return {};
}

// After the commit: nobody is asked about what is not written.
void Engine::ask_hooks(Now now) {
  if (draining_) return;  // what is held is asked about at the next start
  for (const auto id : std::exchange(to_ask_, {})) {
    const auto found = held_.find(id);
    if (found == held_.end() || found->second.hooks.empty() || found->second.question != 0) continue;
    auto& held = found->second;
    held.question = ++last_question_;
    parts_.hooks->ask(held.hooks.front(), question_about(held.kept, held.event), now.wall, [this, alive = alive_, id, question = held.question](Result<HookAnswer> answer) {
      if (!*alive) return;
      replies_.push_back({id, question, std::move(answer)});
      schedule_turn();
    });
  }
}

// Each series of failures is told of once, at its first, and once when it is over.
void Engine::note_hook(const std::string& name, const Error* error, std::vector<lifecycle::Any>& notices) {
  if (error != nullptr) {
    if (++hook_faults_[name] == 1) notices.emplace_back(lifecycle::Note{"warn", "hook '" + name + "' failed: " + error->text() + "; this is said once, until it works again"});
    return;
  }
  const auto faults = hook_faults_.extract(name);
  if (!faults.empty()) notices.emplace_back(lifecycle::Note{"info", "hook '" + name + "' works again; it had failed " + counted(faults.mapped(), "time")});
}

// Takes over what a process that died held back, and ends the commands that it asked.
Status Engine::recover_held(const std::function<std::size_t(const std::string& mark)>& end_leftovers) {
  const auto left = parts_.journal.held();
  if (!left) return left.error();
  Elsewhere elsewhere(owner_);
  std::set<std::string> askers;
  for (const auto& [kept, owner] : *left) {
    if (elsewhere(owner)) continue;
    if (askers.insert(asker_name(owner)).second) {
      for (const auto& mark : hook_marks(asker_name(owner))) end_leftovers(mark);
    }
    if (auto done = parts_.journal.remove_held(kept.id); !done) return done;
    if (auto added = parts_.journal.add_held(kept, owner_); !added) return added.error();
  }
  return {};
}

// By the hooks of now. What none of them asks about any more goes on with the next turn.
Status Engine::reload_held() {
  held_.clear();
  lanes_.clear();
  to_ask_.clear();
  const auto rows = parts_.journal.held();
  if (!rows) return rows.error();
  Elsewhere elsewhere(owner_);
  for (const auto& [kept, owner] : *rows) {
    if (elsewhere(owner)) continue;
    const auto found = parts_.journal.event_at(kept.event_sequence);
    if (!found) return found.error();
    if (!*found) return Error{"a hook holds event " + std::to_string(kept.event_sequence) + ", which is not in the journal", "the file was changed by something else, or the disk is failing"};
    const auto event = std::make_shared<const Event>(**found);
    auto lane = kept.start ? "queued/" + kept.handler + "/" + lane_of(*event, kept.key) : "received/" + lane_of(*event, router_.key(*event));
    lanes_[lane].push_back(kept.id);
    held_.emplace(kept.id, Held{kept, event, std::move(lane), asked_about(hooks_, question_about(kept, event))});
    to_ask_.push_back(kept.id);
  }
  return {};
}

void Engine::publish(const Hook& hook, const lifecycle::Any& any) {
  const auto& what = std::get<Hook::Publish>(hook.action);
  const auto now = parts_.clock.now().wall;
  const auto report = [this, name = hook.name](const Error* error) {
    std::vector<lifecycle::Any> notices;
    note_hook(name, error, notices);
    for (const auto& notice : notices) parts_.emitter.emit(notice);
  };
  auto cause = cause_of(any);
  if (cause.event_sequence == 0 && !cause.run_id.empty()) {
    const auto run = parts_.journal.run(cause.run_id);
    if (!run) return report(&run.error());
    if (*run) {
      cause.event_sequence = (*run)->event_sequence;
    }
  }
  const auto source = what.source.empty() ? std::string(kPublishingHook) + hook.name : what.source;
  int hops = 0;
  if (cause.event_sequence != 0) {
    const auto event = parts_.journal.event_at(cause.event_sequence);
    if (!event) return report(&event.error());
    if (*event && (*event)->type == what.type && (*event)->source == source) return;  // of its own work it would tell for ever
    if (*event) hops = (*event)->hops;
  }
  if (hops >= limits::kHops) {
    const Error circle{"a circle: what it publishes has caused itself " + std::to_string(hops) + " times, at most " + std::to_string(limits::kHops) + " may",
                       "narrow its `on` and `where`, so that they leave out what comes of it"};
    return report(&circle);
  }
  Event event;
  event.type = what.type;
  event.topic = what.topic;
  event.source = source;
  event.subject = std::string(lifecycle::name(any));
  event.time = now;
  event.correlation_id = std::move(cause.correlation_id);
  event.causation_id = std::move(cause.run_id);
  event.hops = hops + 1;
  event.data = Payload(to_json(any, now));
  // Not offer(), which may begin a turn: this comes in the midst of telling the subscribers.
  offers_[event.source].push_back({{}, event, [report](const Acceptance& acceptance) {
    if (acceptance.taken()) return report(nullptr);
    const Error refused{"what it publishes was not taken: " + acceptance.reason, ""};
    report(&refused);
  }});
  schedule_turn();
}

}  // namespace hark
