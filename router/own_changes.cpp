#include "router/own_changes.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/limits.h"

namespace hark {

void OwnChanges::begin(const std::string& handler, const std::string& run_id, WallTime now) {
  if (handlers_[handler].runs.insert_or_assign(run_id, Span{now, std::nullopt, {}}).second) ++under_way_;
}

void OwnChanges::end(const std::string& handler, const std::string& run_id, WallTime now, std::vector<RefMove> moves) {
  const auto known = handlers_.find(handler);
  if (known == handlers_.end()) return;
  auto& runs = known->second.runs;
  if (const auto run = runs.find(run_id); run != runs.end() && !run->second.ended) {
    run->second.ended = now;
    run->second.moves = std::move(moves);
    --under_way_;
  }
  std::erase_if(runs, [now](const auto& each) { return each.second.ended && *each.second.ended + limits::kOwnCommitGrace < now; });
}

std::string OwnChanges::run_at(const Known& known, WallTime time, Duration early, Duration late) {
  const std::string* last = nullptr;
  WallTime began;
  for (const auto& [run, span] : known.runs) {
    if (span.began > time + early || (span.ended && time > *span.ended + late)) continue;
    if (last != nullptr && span.began < began) continue;
    last = &run;
    began = span.began;
  }
  return last != nullptr ? *last : std::string{};
}

namespace {

// Whether these steps lead from where the reference stood to where it stands. Somebody's step among them leaves a gap.
bool lead(const std::vector<RefMove>& moves, const std::string& ref, std::string at, const std::string& to) {
  for (const auto& move : moves) {
    if (move.ref != ref || (!move.before.empty() && move.before != at)) continue;
    at = move.after;
    if (at == to) return true;
  }
  return false;
}

std::string text_of(const nlohmann::json& data, const char* key) {
  const auto found = data.find(key);
  return found != data.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

}  // namespace

OwnChanges::Verdict OwnChanges::judge_push(Known& known, const Event& event, const Evidence& evidence) {
  Verdict verdict;
  const auto& data = event.data.json();
  for (const auto& [run, span] : known.runs) {
    if (span.began > event.time) continue;
    if (!span.ended || event.time <= *span.ended + limits::kOwnChangeGrace) verdict.run_id = run;
    if (!lead(span.ended ? span.moves : evidence.moves(run), text_of(data, "ref"), text_of(data, "before"), text_of(data, "after"))) continue;
    return {run, true};
  }
  return verdict;
}

bool OwnChanges::is_own(Known& known, const std::string& path, const std::string& run_id, const std::function<bool()>& active,
                        const std::function<std::optional<Content>()>& content) {
  const auto found = known.files.find(path);
  const bool is_new = found == known.files.end();
  if (is_new && known.files.size() >= limits::kOwnChangeFiles) return false;
  auto& file = is_new ? known.files[path] : found->second;
  if (run_id.empty() || (!file.somebodys && !active())) {
    file.somebodys = true;
    file.started_for.reset();
  }
  if (file.somebodys) {
    if (run_id.empty()) return false;
    const auto before = std::exchange(file.started_for, content());
    const auto& now = file.started_for;
    // The very same file may have been touched to have the handler run again.
    return before && now && before->digest == now->digest && before->inode != now->inode;
  }
  if (file.last_run != run_id) ++file.runs;
  file.last_run = run_id;
  return file.runs > 1;
}

OwnChanges::Verdict OwnChanges::judge(const std::string& handler, const Event& event, const Evidence& evidence) {
  const auto& data = event.data.json();
  if (!data.is_object()) return {};
  if (event.type == "git_push" && data.contains("commits")) return judge_push(handlers_[handler], event, evidence);
  if (event.type != "file_change" || !data.contains("changes")) return {};
  auto& known = handlers_[handler];
  const auto noticed = run_at(known, event.time, {}, limits::kOwnChangeGrace);  // what a run does last is told a moment after its end
  const auto root = data.value("root", std::string{});
  Verdict verdict{{}, true};
  for (const auto& change : data["changes"]) {
    for (const char* key : {"path", "from"}) {
      const auto exact = change.value(std::string(key) + "_base64", std::string{});
      const auto name = change.value(key, std::string{});
      if (name.empty()) continue;
      const bool may_tell = exact.empty() && !data.contains("root_base64") && std::string_view(key) == "path";
      const auto changed = may_tell && evidence.changed && !known.runs.empty() ? evidence.changed(root, name) : std::nullopt;
      const auto run = changed ? run_at(known, *changed, limits::kFileTimeGrain, {}) : noticed;
      if (!run.empty()) verdict.run_id = run;
      // Of a run that has just ended no process is left to tell.
      const auto was_active = [&] { return known.runs.at(run).ended || evidence.active(changed.value_or(event.time)); };
      const auto content = [&] { return may_tell && evidence.content ? evidence.content(root, name) : std::nullopt; };
      if (!is_own(known, data.value("root_base64", root) + '\0' + (exact.empty() ? name : exact), run, was_active, content)) verdict.own = false;
    }
  }
  verdict.own = verdict.own && !verdict.run_id.empty();
  return verdict;
}

}  // namespace hark
