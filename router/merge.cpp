#include <cstddef>
#include <limits>

#include <nlohmann/json.hpp>

#include "core/change_json.h"
#include "core/change_set.h"
#include "core/event_json.h"
#include "router/router.h"

namespace hark {

using nlohmann::json;

std::optional<Event> merge_file_changes(const std::vector<Debounce::Held>& events) {
  ChangeSet changes;
  bool rescan = false;
  for (const auto& [event, came, without] : events) {
    if (event->type != "file_change") return std::nullopt;
    const auto& data = event->data.json();
    if (!data.contains("changes")) return std::nullopt;
    for (const auto& change : data["changes"]) changes.add(change_from_json(change));
    rescan = rescan || data.value("rescan", false);
  }
  const auto& last = *events.back().event;
  const auto root = last.data.json().value("root", std::string{});
  auto list = json::array();
  auto files = json::array();
  for (const auto& change : changes.take(std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max())) {
    list.push_back(to_json(change));
    files.push_back(root + "/" + change.path);
  }

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
