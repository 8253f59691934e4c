#include "state/last_run.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/payload.h"
#include "platform/file_system.h"

namespace hark {
namespace {

using nlohmann::json;

constexpr std::uint64_t kVersion = 1;

// The readers below say what was expected where, or nothing when all is well. A key that is not there is fine.
using Complaint = std::string;

Complaint read_time(const json& object, const char* key, const std::string& where, std::optional<WallTime>& into) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  if (found->is_string()) into = from_rfc3339(found->get_ref<const std::string&>());
  if (!into) return where + "." + key + " is no time";
  return {};
}

Complaint read_text(const json& object, const char* key, const std::string& where, std::string& into) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  if (!found->is_string()) return where + "." + key + " is no text";
  into = found->get_ref<const std::string&>();
  return {};
}

Complaint read_handler(const json& object, const std::string& where, LastRun::Handler& into) {
  if (!object.is_object()) return where + " is no object";
  if (auto wrong = read_time(object, "last_run", where, into.last_run); !wrong.empty()) return wrong;
  if (auto wrong = read_time(object, "last_success", where, into.last_success); !wrong.empty()) return wrong;
  if (auto wrong = read_time(object, "expected_since", where, into.expected_since); !wrong.empty()) return wrong;
  if (auto wrong = read_text(object, "last_run_id", where, into.last_run_id); !wrong.empty()) return wrong;
  if (auto wrong = read_text(object, "last_state", where, into.last_state); !wrong.empty()) return wrong;
  if (!into.last_state.empty() && !run_state_from(into.last_state)) return where + ".last_state is no state of a run";
  return {};
}

Complaint read_state(const json& document, LastRun& into) {
  if (const auto handlers = document.find("handlers"); handlers != document.end()) {
    if (!handlers->is_object()) return "handlers is no object";
    for (const auto& [name, value] : handlers->items()) {
      if (auto wrong = read_handler(value, "handlers." + name, into.handlers[name]); !wrong.empty()) return wrong;
    }
  }
  if (const auto schedules = document.find("schedules"); schedules != document.end()) {
    if (!schedules->is_object()) return "schedules is no object";
    for (const auto& [name, value] : schedules->items()) {
      if (!value.is_object()) return "schedules." + name + " is no object";
      std::optional<WallTime> slot;
      if (auto wrong = read_time(value, "last_slot", "schedules." + name, slot); !wrong.empty()) return wrong;
      if (slot) into.schedules[name] = *slot;
    }
  }
  return {};
}

Complaint read_text(std::string_view text, LastRun& into) {
  const auto document = parse_json(text, "it");
  if (!document) return document.error().message;
  if (!document->is_object()) return "it is no JSON object";
  const auto version = document->find("version");
  if (version == document->end() || !version->is_number_integer()) return "it has no version";
  if (version->is_number_unsigned() && version->get<std::uint64_t>() > kVersion) return "it was written by a newer hark (version " + version->dump() + ", this one knows 1)";
  if (*version != kVersion) return "its version " + version->dump() + " is unknown";
  return read_state(*document, into);
}

// As a part of a file's name: no colons, which other systems and scp do not take.
std::string compact(WallTime time) {
  auto text = to_rfc3339(time);
  std::erase(text, ':');
  return text;
}

}  // namespace

void LastRun::note(const Run& finished) {
  auto& handler = handlers[finished.handler];
  handler.last_state = to_string(finished.state);
  handler.last_run_id = finished.id;
  if (!finished.started) return;
  handler.last_run = finished.started;
  // Runs may end in another order than they began: an older success must not take the place of a newer one.
  if (finished.state == RunState::succeeded) handler.last_success = std::max(handler.last_success, finished.started);
}

std::string LastRun::to_json_text() const {
  json document = {{"version", kVersion}, {"handlers", json::object()}, {"schedules", json::object()}};
  for (const auto& [name, handler] : handlers) {
    auto& object = document["handlers"][name] = json::object();
    if (handler.last_run) object["last_run"] = to_rfc3339(*handler.last_run);
    if (handler.last_success) object["last_success"] = to_rfc3339(*handler.last_success);
    if (handler.expected_since && !handler.last_success) object["expected_since"] = to_rfc3339(*handler.expected_since);
    if (!handler.last_state.empty()) object["last_state"] = handler.last_state;
    if (!handler.last_run_id.empty()) object["last_run_id"] = handler.last_run_id;
  }
  for (const auto& [name, slot] : schedules) document["schedules"][name] = {{"last_slot", to_rfc3339(slot)}};
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<LastRun::Loaded> LastRun::load(FileSystem& files, const std::filesystem::path& path, WallTime now) {
  auto text = files.read(path, limits::kStateFile);
  if (!text) return text.error();
  Loaded loaded;
  if (!*text) return loaded;
  const auto wrong = read_text(**text, loaded.state);
  if (wrong.empty()) return loaded;

  auto aside = path;
  aside += ".broken-" + compact(now);
  if (auto status = files.rename(path, aside); !status) return status.error();
  return Loaded{{}, path.string() + " cannot be used: " + wrong + "; it is kept as " + aside.string() +
                        ", and the start goes on from what the journal knows"};
}

Status save(FileSystem& files, const std::filesystem::path& path, std::string_view text) { return files.replace(path, text); }

}  // namespace hark
