#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "core/event_json.h"
#include "router/router.h"

namespace hark {

using nlohmann::json;

namespace {

// The changes of paths one after another, told as one: what is there now that was not, or is another, and what was there and is gone. Each
// path at most once, in the order in which they first appeared.
class Changes {
 public:
  void add(const json& change) {
    const auto kind = change.value("kind", std::string{});
    const auto path = name_of(change, "path");
    if (kind == "rename") {
      const auto from = name_of(change, "from");
      auto& left = mentioned(from, change, "from", Before::there);
      const auto origin = std::exchange(left.origin, {});
      left.now = false;
      auto& entered = mentioned(path, change, "path", Before::unknown);
      entered.now = true;
      entered.origin = origin;
      entered.last = change;
      return;
    }
    auto& state = mentioned(path, change, "path", kind == "create" ? Before::absent : Before::there);
    state.now = kind != "delete";
    if (kind != "modify") state.origin.clear();
    state.last = change;
  }

  json list() const {
    std::set<std::string> moved;
    for (const auto& path : order_) {
      const auto& state = states_.at(path);
      if (state.now) moved.insert(state.origin);
    }
    auto changes = json::array();
    for (const auto& path : order_) {
      const auto& state = states_.at(path);
      if (state.now) {
        changes.push_back(present(path, state));
      } else if (state.before != Before::absent && !moved.contains(path)) {
        auto gone = state.name;
        gone["kind"] = "delete";
        changes.push_back(std::move(gone));
      }
    }
    return changes;
  }

 private:
  enum class Before { there, absent, unknown };  // something may have been written over
  struct State {
    json name;           // {"path", "path_base64"}
    Before before;
    bool now = true;
    std::string origin;  // where what is here was before all this; empty: nowhere
    json last{};         // what was told of it last
  };

  // Two names that are no UTF-8 may look the same.
  static std::string name_of(const json& change, const std::string& key) { return change.value(key + "_base64", change.value(key, std::string{})); }

  State& mentioned(const std::string& path, const json& change, const std::string& key, Before before) {
    const auto [known, first] = states_.try_emplace(path);
    if (!first) return known->second;
    order_.push_back(path);
    auto& state = known->second;
    state.before = before;
    if (before == Before::there) state.origin = path;
    state.name["path"] = change.value(key, std::string{});
    if (change.contains(key + "_base64")) state.name["path_base64"] = change[key + "_base64"];
    return state;
  }

  json present(const std::string& path, const State& state) const {
    auto change = state.last;
    if (state.origin.empty()) {
      // A new file. Renamed to where something may have been, as editors save, it stays what it was told as.
      if (state.before != Before::unknown) change["kind"] = state.before == Before::absent ? "create" : "modify";
    } else {
      change["kind"] = state.origin == path ? "modify" : "rename";
    }
    for (const char* key : {"from", "from_base64"}) {
      if (change["kind"] != "rename" || !state.origin.empty()) change.erase(key);
    }
    if (change["kind"] == "rename" && !state.origin.empty()) {
      const auto& origin = states_.at(state.origin).name;
      change["from"] = origin["path"];
      if (origin.contains("path_base64")) change["from_base64"] = origin["path_base64"];
    }
    return change;
  }

  std::vector<std::string> order_;
  std::map<std::string, State> states_;
};

}  // namespace

std::optional<Event> merge_file_changes(const std::vector<Debounce::Held>& events) {
  Changes changes;
  bool rescan = false;
  for (const auto& [event, came, without] : events) {
    if (event->type != "file_change") return std::nullopt;
    const auto& data = event->data.json();
    if (!data.contains("changes")) return std::nullopt;
    for (const auto& change : data["changes"]) changes.add(change);
    rescan = rescan || data.value("rescan", false);
  }
  const auto& last = *events.back().event;
  const auto root = last.data.json().value("root", std::string{});
  auto list = changes.list();
  auto files = json::array();
  for (const auto& change : list) files.push_back(root + "/" + change.value("path", std::string{}));

  Event merged;
  merged.type = last.type;
  merged.source = last.source;
  merged.time = last.time;
  merged.priority = last.priority;
  merged.subject = files.size() == 1 ? files[0].get<std::string>() : root;
  json data = {{"root", root}, {"files", std::move(files)}, {"changes", std::move(list)}};
  if (last.data.json().contains("root_base64")) data["root_base64"] = last.data.json()["root_base64"];
  if (rescan) data["rescan"] = true;
  merged.data = Payload(data);
  return merged;
}

Event merge_batch(const std::vector<Debounce::Held>& events) {
  const auto& last = *events.back().event;
  Event merged;
  merged.type = last.type;
  merged.source = last.source;
  merged.time = last.time;
  merged.priority = last.priority;
  auto list = json::array();
  for (const auto& [event, came, without] : events) list.push_back(to_json(*event));
  merged.data = Payload(json{{"events", std::move(list)}});
  return merged;
}

}  // namespace hark
