#include "cli/run_filter.h"

#include <algorithm>

#include "core/event_field.h"
#include "core/nearest.h"
#include "core/run.h"

namespace hark {

namespace {

std::vector<std::string> states() {
  std::vector<std::string> names;
  for (int value = 0; value <= int(RunState::interrupted); ++value) names.emplace_back(to_string(RunState(value)));
  return names;
}

Status check(const std::string& word, const std::vector<std::string>& known, const std::string& message, const char* cure) {
  if (std::find(known.begin(), known.end(), word) != known.end()) return {};
  std::string list;
  for (const auto& one : known) list += (list.empty() ? "" : ", ") + one;
  return Error{message + did_you_mean(word, known), cure + list};
}

}  // namespace

Status check_run_filter(const Filter& filter) {
  for (const auto& field : filter.fields()) {
    if (auto known = check(field, run_fields(), "a run has no field '" + field + "'", "it has "); !known) return known;
  }
  for (const auto& state : filter.values("state")) {
    if (auto known = check(state, states(), "no run's state is '" + state + "'", "it is one of "); !known) return known;
  }
  return {};
}

// Fields as filters name them: "state", "event.source", "duration_ms".
bool matches(const Filter& filter, const nlohmann::json& run) {
  return filter.evaluate([&](std::string_view field) { return json_at(run, field); }).matches;
}

}  // namespace hark
