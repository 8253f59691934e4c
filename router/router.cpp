#include "router/router.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/limits.h"

namespace hark {

Router::Router(std::vector<Rule> rules) {
  for (auto& rule : rules) {
    auto name = rule.source;
    rules_.emplace(std::move(name), std::move(rule));
  }
}

const Rule* Router::rule(const std::string& source) const {
  const auto found = rules_.find(source);
  return found == rules_.end() ? nullptr : &found->second;
}

namespace {

Decision decision(const Event& event, Now now, Stage stage, Verdict verdict, std::string reason, std::string handler = {}) {
  return {event.sequence, now.wall, stage, verdict, std::move(handler), std::move(reason)};
}

void start_all(Router::Routed& routed, const EventPtr& event, const Rule& rule, Now now) {
  for (const auto& handler : rule.handlers) {
    routed.decisions.push_back(decision(*event, now, Stage::match, Verdict::passed, "source '" + rule.source + "' names this handler", handler));
    routed.starts.push_back({event, handler, event->priority != 0 ? event->priority : rule.priority});
  }
}

}  // namespace

Router::Routed Router::route(const EventPtr& event, const std::string& handler, Now now) {
  Routed routed;
  if (!handler.empty()) {
    routed.decisions.push_back(decision(*event, now, Stage::match, Verdict::passed, "the event was sent to this handler by name", handler));
    routed.starts.push_back({event, handler, event->priority});
    return routed;
  }
  const auto* rule = this->rule(event->source);
  if (rule == nullptr || rule->handlers.empty()) {
    routed.decisions.push_back(decision(*event, now, Stage::match, Verdict::dropped,
                                        rule == nullptr ? "no source of the configuration is named '" + event->source + "'"
                                                        : "source '" + event->source + "' names no handler"));
    return routed;
  }
  if (!rule->where.empty()) {
    auto verdict = rule->where.evaluate(*event);
    if (!verdict.matches) {
      routed.decisions.push_back(decision(*event, now, Stage::filter, Verdict::dropped, "where: " + verdict.why));
      return routed;
    }
    routed.decisions.push_back(decision(*event, now, Stage::filter, Verdict::passed, "where: " + rule->where.text()));
  }
  if (rule->debounce > Duration::zero()) {
    const auto held = debounce_.hold(rule->source, event, rule->debounce, rule->debounce_max, now.steady);
    auto reason = "waits for " + to_string(rule->debounce) + " of quiet";
    if (rule->debounce_max) reason += ", at most " + to_string(*rule->debounce_max) + " after the first";
    if (held > 1) reason += ", together with " + std::to_string(held - 1) + " before it";
    if (held == limits::kDebounceEvents) overfull_.push_back(rule->source);
    routed.decisions.push_back(decision(*event, now, Stage::debounce, Verdict::held, std::move(reason)));
    routed.held = true;
    return routed;
  }
  start_all(routed, event, *rule, now);
  return routed;
}

std::vector<Router::Fired> Router::fire(SteadyTime now) {
  auto batches = debounce_.due(now);
  for (const auto& key : std::exchange(overfull_, {})) {
    if (auto batch = debounce_.take(key); !batch.events.empty()) batches.push_back(std::move(batch));
  }
  std::vector<Fired> fired;
  for (auto& batch : batches) {
    const auto* rule = this->rule(batch.key);
    if (rule == nullptr) continue;
    auto merged = merge_file_changes(batch.events);
    fired.push_back({rule, std::move(batch.events), std::move(merged)});
  }
  return fired;
}

Router::Routed Router::release(const Fired& fired, const EventPtr& chosen, Now now) const {
  Routed routed;
  for (const auto& event : fired.events) {
    if (event == chosen) {
      const auto others = fired.events.size() - 1;
      routed.decisions.push_back(decision(*event, now, Stage::debounce, Verdict::passed,
                                          others == 0 ? std::string("quiet for long enough")
                                                      : "the last of " + std::to_string(others + 1) + " in a row: it stands for all of them"));
    } else if (fired.merged) {
      routed.decisions.push_back(decision(*event, now, Stage::debounce, Verdict::passed, "merged with others into event " + chosen->id));
    } else {
      routed.decisions.push_back(decision(*event, now, Stage::debounce, Verdict::dropped, "event " + chosen->id + " came within " +
                                                                                               to_string(fired.rule->debounce) +
                                                                                               " of it and stands for it"));
    }
  }
  if (fired.merged) {
    auto reason = "stands for " + std::to_string(fired.events.size()) + " events, the first of them " + fired.events.front()->id;
    if (chosen->data.json()["changes"].empty()) {
      routed.decisions.push_back(decision(*chosen, now, Stage::debounce, Verdict::dropped, reason + ": what they made is gone again"));
      return routed;
    }
    routed.decisions.push_back(decision(*chosen, now, Stage::debounce, Verdict::passed, std::move(reason)));
  }
  start_all(routed, chosen, *fired.rule, now);
  return routed;
}

}  // namespace hark
