#include "router/router.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/event_field.h"
#include "core/event_template.h"
#include "core/limits.h"
#include "core/printable.h"

namespace hark {

namespace {

bool gathers(const Rule& rule) { return rule.debounce > Duration::zero() || rule.batch; }
bool gather_alike(const Rule& a, const Rule& b) { return gathers(a) == gathers(b) && a.batch.has_value() == b.batch.has_value(); }

}  // namespace

Router::Router(std::vector<Rule> rules) { set_rules(std::move(rules)); }

void Router::set_rules(std::vector<Rule> rules) {
  auto before = std::exchange(rules_, {});
  for (auto& rule : rules) {
    auto name = rule.source;
    rules_.emplace(std::move(name), std::move(rule));
  }
  for (auto& [name, rule] : before) {
    const auto* now = this->rule(name);
    if (!debounce_.holds(name) || (now != nullptr && gather_alike(rule, *now))) continue;
    debounce_.let_go(name);
    retired_.try_emplace(name, std::move(rule));  // the first, where another comes before it has gone
  }
}

const Rule* Router::rule_of_held(const std::string& source) const {
  const auto found = retired_.find(source);
  return found == retired_.end() ? rule(source) : &found->second;
}

const Rule* Router::rule(const std::string& source) const {
  const auto found = rules_.find(source);
  return found == rules_.end() ? nullptr : &found->second;
}

namespace {

Decision decision(const Event& event, Now now, Stage stage, Verdict verdict, std::string reason, std::string handler = {}) {
  return {event.sequence, now.wall, stage, verdict, std::move(handler), std::move(reason)};
}

// Every event of a source that has a key has one, so that those that lack its values keep their order as well.
std::optional<std::string> key_of(const Rule& rule, const Event& event) {
  return rule.key ? std::optional(rendered_for(*rule.key, event).value_or("")) : std::nullopt;
}

std::string told(const std::optional<std::string>& key) {
  return key ? " (key '" + printable(*key, limits::kShownValue) + "')" : std::string{};
}

bool contains(const std::vector<std::string>& names, const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); }

constexpr const char* kOwn = "its own run made this change (allow_self_trigger is false)";

// Those that all of them leave out.
std::vector<std::string> without_of(const std::vector<Debounce::Held>& events) {
  auto without = events.front().without;
  for (const auto& held : events) {
    std::erase_if(without, [&](const std::string& handler) { return !contains(held.without, handler); });
  }
  return without;
}

// A person who saves all the time while runs are busy looks like a circle: so the first pauses are short.
Duration circle_pause(int hops) { return std::min<Duration>(limits::kCirclePause, limits::kCirclePauseFirst * (1 << std::min(hops - limits::kHops - 1, 16))); }

Duration to_milliseconds(Duration duration) { return std::chrono::duration_cast<std::chrono::milliseconds>(duration); }

}  // namespace

void Router::start_all(Routed& routed, const EventPtr& event, const Rule& rule, const std::string& only, const std::vector<std::string>& without,
                       const std::optional<std::string>& key, Now now) {
  const auto excluded = [&](const std::string& handler) { return contains(without, handler); };
  if (std::all_of(rule.handlers.begin(), rule.handlers.end(), excluded)) {
    routed.decisions.push_back(decision(*event, now, Stage::match, Verdict::dropped, kOwn));
    return;
  }
  std::optional<WallTime> not_before;
  if (event->hops > limits::kHops) {
    const auto pause = circle_pause(event->hops);
    not_before = now.wall + std::chrono::duration_cast<std::chrono::microseconds>(pause);
    routed.decisions.push_back(decision(*event, now, Stage::queue, Verdict::held,
                                        "perhaps a circle: " + std::to_string(event->hops) + " runs in a row were each started by what changed while the one before ran; this one waits " +
                                            to_string(pause)));
  }
  for (const auto& handler : rule.handlers) {
    if (!only.empty() && handler != only) continue;
    if (excluded(handler)) {
      routed.decisions.push_back(decision(*event, now, Stage::match, Verdict::dropped, kOwn, handler));
      continue;
    }
    routed.decisions.push_back(decision(*event, now, Stage::match, Verdict::passed, "source '" + rule.source + "' names this handler" + told(key), handler));
    routed.starts.push_back({event, handler, event->priority != 0 ? event->priority : rule.priority, key, not_before, false, rule.source});
  }
}

std::optional<std::string> Router::key(const Event& event) const {
  const auto* its = rule(event.source);
  return its == nullptr ? std::nullopt : key_of(*its, event);
}

Router::Routed Router::route(const EventPtr& event, const Target& target, Now now) {
  Routed routed;
  const auto drop = [&](Stage stage, std::string reason) {
    routed.decisions.push_back(decision(*event, now, stage, Verdict::dropped, std::move(reason)));
    return routed;
  };
  if (event->hops > limits::kHops && !event->causation_id.empty()) {
    return drop(Stage::match, "a circle: " + std::to_string(event->hops) + " runs in a row caused one another, at most " + std::to_string(limits::kHops) + " may");
  }
  if (target.direct) {
    routed.decisions.push_back(decision(*event, now, Stage::match, Verdict::passed, std::string(kSentByName), target.handler));
    routed.starts.push_back({event, target.handler, event->priority, std::nullopt, std::nullopt, true, event->source});
    return routed;
  }
  auto rules = rules_for(*event);
  if (rules.empty() && !is_published(*event)) return drop(Stage::match, "no source of the configuration is named '" + event->source + "'");
  for (const auto& source : target.only) {
    if (rule(source) == nullptr) routed.decisions.push_back(decision(*event, now, Stage::match, Verdict::dropped, "no source of the configuration is named '" + source + "' any more"));
  }
  std::erase_if(rules, [&](const Rule* each) { return (!target.only.empty() && !contains(target.only, each->source)) || contains(target.except, each->source); });
  if (is_published(*event) && !target.handler.empty()) std::erase_if(rules, [&](const Rule* each) { return !contains(each->handlers, target.handler); });
  for (const auto* each : rules) route_by(*each, routed, event, target, now);
  if (rules.empty() && routed.decisions.empty()) {
    routed.decisions.push_back(decision(*event, now, Stage::match, Verdict::passed, "published: no source takes it from the bus; who waits for it or reads along gets it"));
  }
  return routed;
}

std::vector<const Rule*> Router::rules_for(const Event& event) const {
  std::vector<const Rule*> found;
  if (!is_published(event)) {
    if (const auto* its = rule(event.source)) found.push_back(its);
    return found;
  }
  for (const auto& [source, rule] : rules_) {
    if (rule.published && rule.published->matches(event)) found.push_back(&rule);
  }
  return found;
}

void Router::route_by(const Rule& rule, Routed& routed, const EventPtr& event, const Target& target, Now now) {
  const auto drop = [&](Stage stage, std::string reason) { routed.decisions.push_back(decision(*event, now, stage, Verdict::dropped, std::move(reason))); };
  const auto whose = rule.published ? "source '" + rule.source + "', " : std::string{};  // there may be several
  if (rule.handlers.empty()) return drop(Stage::match, "source '" + rule.source + "' names no handler");
  if (!target.handler.empty() && !contains(rule.handlers, target.handler)) {
    return drop(Stage::match, "source '" + rule.source + "' does not name the handler '" + target.handler + "'");
  }
  if (!rule.where.empty()) {
    auto verdict = rule.where.evaluate(*event);
    if (!verdict.matches) return drop(Stage::filter, whose + "where: " + verdict.why);
    routed.decisions.push_back(decision(*event, now, Stage::filter, Verdict::passed, whose + "where: " + rule.where.text()));
  }
  const auto key = key_of(rule, *event);
  if (!rule.handlers.empty() && target.without.size() == rule.handlers.size()) return drop(Stage::match, kOwn);  // gathers nobody's changes
  if (!gathers(rule) || !target.handler.empty()) {  // what goes to one handler only is not gathered with what goes to all
    return start_all(routed, event, rule, target.handler, target.without, key, now);
  }
  const auto terms = rule.batch ? Debounce::Terms{rule.batch->within, rule.batch->within, rule.batch->max}
                                : Debounce::Terms{rule.debounce, rule.debounce_max, limits::kDebounceEvents};
  const auto& held = debounce_.hold({rule.source, key.value_or("")}, event, terms, now.steady, target.without);
  auto reason = whose;
  if (rule.batch) {
    reason += "gathered: " + std::to_string(held.size()) + " of " + std::to_string(rule.batch->max) + ", at most " + to_string(rule.batch->within) + " after the first";
  } else {
    reason += "waits for " + to_string(rule.debounce) + " of quiet";
    if (rule.debounce_max) reason += ", at most " + to_string(*rule.debounce_max) + " after the first";
  }
  if (held.size() > 1) {
    const auto& before = held[held.size() - 2];
    reason += "; " + to_string(to_milliseconds(now.steady - before.came)) + " after event " + before.event->id;
  }
  routed.decisions.push_back(decision(*event, now, Stage::debounce, Verdict::held, reason + told(key)));
  routed.gathering.push_back(rule.source);
}

std::vector<Router::Fired> Router::fire(SteadyTime now) {
  std::erase_if(retired_, [this](const auto& entry) { return !debounce_.holds(entry.first); });
  std::vector<Fired> fired;
  for (auto& batch : debounce_.due(now)) {
    const auto* rule = rule_of_held(batch.key.first);
    auto merged = batch.events.size() > 1 ? merge_file_changes(batch.events) : std::nullopt;
    if (!merged && rule != nullptr && rule->batch && batch.events.front().event->type != "file_change") merged = merge_batch(batch.events);
    if (merged) {
      merged->source = batch.key.first;  // what was published is the source's own from here on
      merged->members = static_cast<int>(batch.events.size());
      // One that came from outside makes all of it so.
      merged->hops = batch.events.front().event->hops;
      for (const auto& held : batch.events) merged->hops = std::min(merged->hops, held.event->hops);
    }
    fired.push_back({std::move(batch), std::move(merged), now});
  }
  return fired;
}

Router::Routed Router::release(const Fired& fired, const EventPtr& chosen, Now now) {
  Routed routed;
  const auto& events = fired.batch.events;
  const auto* rule = rule_of_held(fired.batch.key.first);
  const auto window = rule == nullptr ? std::string{} : ", the window is " + to_string(rule->debounce);
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto& event = events[i].event;
    if (event == chosen) {
      const auto reason = events.size() == 1 ? "quiet for " + to_string(to_milliseconds(fired.at - events[i].came))
                                             : "the last of " + std::to_string(events.size()) + " in a row: it stands for all of them";
      routed.decisions.push_back(decision(*event, now, Stage::debounce, Verdict::passed, reason));
    } else if (fired.merged) {
      routed.decisions.push_back(decision(*event, now, Stage::debounce, Verdict::passed, (events.size() > 1 ? "merged with " + counted(events.size() - 1, "other") + " into event " : "alone in its batch: it is in event ") + chosen->id));
    } else {
      const auto& next = events[i + 1];
      routed.decisions.push_back(decision(*event, now, Stage::debounce, Verdict::dropped,
                                          "debounced: event " + next.event->id + " came " + to_string(to_milliseconds(next.came - events[i].came)) + " after it" + window +
                                              (next.event == chosen ? "" : "; event " + chosen->id + " stands for them")));
    }
  }
  if (rule == nullptr) {
    routed.decisions.push_back(decision(*chosen, now, Stage::match, Verdict::dropped, "no source of the configuration is named '" + fired.batch.key.first + "' any more"));
    return routed;
  }
  if (fired.merged) {
    auto reason = "stands for " + counted(events.size(), "event") + ", the first of them " + events.front().event->id;
    if (chosen->type == "file_change" && chosen->data.json()["changes"].empty()) {
      routed.decisions.push_back(decision(*chosen, now, Stage::debounce, Verdict::dropped, reason + ": what they made is gone again"));
      return routed;
    }
    routed.decisions.push_back(decision(*chosen, now, Stage::debounce, Verdict::passed, std::move(reason)));
  }
  start_all(routed, chosen, *rule, {}, without_of(events), rule->key ? std::optional(fired.batch.key.second) : std::nullopt, now);
  return routed;
}

}  // namespace hark
