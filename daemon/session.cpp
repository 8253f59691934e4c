#include "daemon/session.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/event_json.h"
#include "core/limits.h"

namespace hark {

using nlohmann::json;

Result<std::optional<Session>> find_session(JournalReader& journal, const std::string& id) {
  auto found = journal.session(id, limits::kSessionEvents);
  if (!found) return found.error();
  auto correlation_id = id;
  if (found->events.empty()) {
    const auto event = find_event(journal, id);
    if (!event) return event.error();
    if (!*event) return std::optional<Session>();
    correlation_id = (*event)->correlation_id;
    found = journal.session(correlation_id, limits::kSessionEvents);
    if (!found) return found.error();
  }
  Session session{correlation_id, std::move(found->events), std::move(found->runs), false};
  session.cut = session.events.size() >= limits::kSessionEvents || session.runs.size() >= limits::kSessionEvents;
  return std::optional(std::move(session));
}

void keep_events(Session& session, const std::function<bool(const Event&)>& wanted) {
  std::set<std::uint64_t> without;
  for (const auto& event : session.events) {
    if (!wanted(event)) without.insert(event.sequence);
  }
  if (without.empty()) return;
  std::erase_if(session.events, [&](const Event& event) { return without.contains(event.sequence); });
  std::erase_if(session.runs, [&](const Run& run) { return without.contains(run.event_sequence); });
  session.cut = true;
}

namespace {

// What hangs where: runs by the number of their event, events by the run that caused them.
struct Tree {
  std::multimap<std::uint64_t, const Run*> runs;
  std::multimap<std::string, const Event*> caused;

  json node(const Event& event) const {
    json object = to_json(event);
    object["runs"] = json::array();
    const auto [first, last] = runs.equal_range(event.sequence);
    for (auto each = first; each != last; ++each) {
      json run = to_json(*each->second);
      run["events"] = json::array();
      const auto [begin, end] = caused.equal_range(each->second->id);
      for (auto child = begin; child != end; ++child) run["events"].push_back(node(*child->second));
      object["runs"].push_back(std::move(run));
    }
    return object;
  }
};

}  // namespace

json to_json(const Session& session) {
  Tree tree;
  for (const auto& run : session.runs) tree.runs.emplace(run.event_sequence, &run);
  // A run's event is older than what the run causes, so that nothing hangs below itself.
  std::map<std::string_view, const Run*> by_id;
  for (const auto& run : session.runs) by_id.emplace(run.id, &run);
  std::vector<const Event*> roots;
  for (const auto& event : session.events) {
    const auto cause = by_id.find(event.causation_id);
    if (cause == by_id.end() || cause->second->event_sequence >= event.sequence) {
      roots.push_back(&event);
    } else {
      tree.caused.emplace(cause->second->id, &event);
    }
  }
  json body = {{"correlation_id", session.correlation_id}, {"events", json::array()}};
  if (session.cut) body["cut"] = true;
  if (!session.events.empty()) {
    const auto began = session.events.front().time;
    auto ended = session.events.back().time;
    for (const auto& run : session.runs) ended = std::max(ended, run.finished.value_or(ended));
    body["began"] = to_rfc3339(began);
    body["duration_ms"] = std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(ended - began).count(), 0);
  }
  for (const auto* event : roots) body["events"].push_back(tree.node(*event));
  return body;
}

}  // namespace hark
