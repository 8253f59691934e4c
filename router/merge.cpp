#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "core/event_json.h"
#include "router/router.h"

namespace hark {

using nlohmann::json;

namespace {

// What two changes of one path in a row amount to; empty: nothing (created and deleted again).
std::string combine(const std::string& before, const std::string& after) {
  if (before == "create" && after == "delete") return {};
  if (before == "create") return "create";
  if (before == "delete" && after == "create") return "modify";
  if (before == "rename" && after == "modify") return "rename";
  return after;
}

// The changes of one path after another, in the order in which paths first appeared.
class Changes {
 public:
  void add(const json& change) {
    // Two names that are no UTF-8 may look the same.
    const auto path = change.value("path_base64", change.value("path", std::string{}));
    const auto kind = change.value("kind", std::string{});
    const auto found = by_path_.find(path);
    if (found == by_path_.end()) {
      by_path_[path] = order_.size();
      order_.push_back(change);
      return;
    }
    auto& known = order_[found->second];
    if (known.is_null()) {
      known = change;
      return;
    }
    const auto kind_now = combine(known.value("kind", std::string{}), kind);
    if (kind_now.empty()) {
      known = nullptr;
    } else if (kind_now == kind) {
      known = change;
    } else {
      known["kind"] = kind_now;
    }
  }

  json list() const {
    auto changes = json::array();
    for (const auto& change : order_) {
      if (!change.is_null()) changes.push_back(change);
    }
    return changes;
  }

 private:
  std::vector<json> order_;
  std::map<std::string, std::size_t> by_path_;
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
