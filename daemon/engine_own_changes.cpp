// Whose change it was: a handler is not started by what its own runs write (docs/decisions/0008).
#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/limits.h"
#include "daemon/engine_turn.h"
#include "daemon/places.h"
#include "handlers/git_trace.h"
#include "platform/changed_at.h"
#include "platform/clock.h"
#include "platform/file_digest.h"
#include "platform/loop.h"

namespace hark {

namespace {

std::optional<OwnChanges::Content> content_of(const std::string& path, std::uint64_t& budget) {
  const auto file = file_digest(path, budget);
  if (!file) return std::nullopt;
  return OwnChanges::Content{{file->digest.begin(), file->digest.end()}, file->inode};
}

}  // namespace

// What a run itself changed is a part of its story, and starts its handler again only where that asks for it.
Status Engine::tag_own_changes(Offered& offered) {
  auto& event = offered.event;
  const auto* rule = router_.rule(event.source);
  if (rule == nullptr || offered.target.direct || !event.replay_of.empty()) return {};
  auto budget = limits::kOwnChangeBytes;
  const OwnChanges::Evidence evidence{[this](WallTime then) { return runs_were_active(then); },
                                      [this](const std::string& run_id) { return ref_moves(git_trace_file(output_folder(settings_), run_id)); },
                                      [](const std::string& root, const std::string& path) { return changed_at(root + '/' + path); },
                                      [&budget](const std::string& root, const std::string& path) { return content_of(root + '/' + path, budget); }};
  std::string cause, perhaps;
  for (const auto& name : rule->handlers) {
    if (!watching_.contains(name)) continue;  // whoever made it
    const auto verdict = own_changes_.judge(name, event, evidence);
    if (!verdict.own) {
      if (perhaps.empty()) perhaps = verdict.run_id;
      continue;
    }
    cause = verdict.run_id;
    offered.target.without.push_back(name);
  }
  if ((cause.empty() && perhaps.empty()) || !event.causation_id.empty()) return {};
  auto run = parts_.journal.run(cause.empty() ? perhaps : cause);
  if (!run) return run.error();
  if (!*run) return {};
  auto trigger = parts_.journal.event_at((*run)->event_sequence);
  if (!trigger) return trigger.error();
  if (!cause.empty()) {
    event.causation_id = cause;
    event.correlation_id = (*run)->correlation_id;
  }
  event.hops = (*trigger ? (*trigger)->hops : 0) + 1;
  return {};
}

// What git told of the run is kept for the moment in which the last of its movements may still come; the file goes.
void Engine::end_watching(const std::string& name, const std::string& run_id, const Handler* handler, WallTime now) {
  std::vector<RefMove> moves;
  if (handler != nullptr && handler->traces_git) {
    const auto trace = git_trace_file(output_folder(settings_), run_id);
    moves = ref_moves(trace);
    std::error_code gone;
    std::filesystem::remove(trace, gone);
    std::filesystem::remove(trace.parent_path(), gone);  // where nothing else is in it
  }
  own_changes_.end(name, run_id, now, std::move(moves));
}

// Looked at all the time while something runs that changes of files or branches start: when one of them comes it is too late to begin.
void Engine::watch_activity() {
  note_activity();
  if (!own_changes_.any_under_way()) return activity_timer_->cancel();
  activity_timer_->at(parts_.clock.now().steady + limits::kOwnChangeGrace, [this] { watch_activity(); });
}

void Engine::note_activity() {
  if (parts_.runs_did_anything && parts_.runs_did_anything()) last_active_ = parts_.clock.now().steady;
}

// A file that is held open is told of a while after it was written.
bool Engine::runs_were_active(WallTime then) {
  if (!parts_.runs_did_anything) return true;
  note_activity();
  const auto now = parts_.clock.now();
  return now.steady - std::max<Duration>(now.wall - then, Duration::zero()) <= last_active_ + limits::kOwnChangeGrace;
}

}  // namespace hark
