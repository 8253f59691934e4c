// What the engine does beside the way of events: it saves last runs, deletes what is old, and comes to an end.
#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "daemon/engine.h"
#include "daemon/places.h"
#include "handlers/workspace.h"
#include "platform/clock.h"
#include "platform/file_system.h"
#include "platform/loop.h"
#include "platform/workers.h"
#include "state/run_outputs.h"

namespace hark {

namespace {

Result<bool> is_forgotten(JournalReader& journal, const std::string& run_id) {
  const auto run = journal.run(run_id);
  if (!run) return run.error();
  return !*run;
}

}  // namespace

void Engine::save_state() {
  if (!state_dirty_ || state_saving_) return;
  const auto now = parts_.clock.now().steady;
  if (!draining_ && now < next_save_) {
    if (std::exchange(state_timer_set_, true)) return;
    return state_timer_->at(next_save_, [this] {
      state_timer_set_ = false;
      save_state();
    });
  }
  next_save_ = now + limits::kStateSave;
  state_dirty_ = false;
  state_saving_ = true;
  parts_.background.post([this, alive = alive_, &loop = parts_.loop, &files = parts_.files, path = settings_.state_file,
                          text = last_run_.to_json_text()] {
    auto saved = save(files, path, text);
    loop.post([this, alive, saved = std::move(saved)] {
      if (!*alive) return;
      state_saving_ = false;
      const auto fault = saved ? std::string{} : saved.error().text();
      if (fault != state_fault_ && !fault.empty()) say("error", "last-run state is not saved: " + fault);
      state_fault_ = fault;
      save_state();
      check_drained();
    });
  });
}

void Engine::expect_from_now(const std::string& handler) {
  last_run_.handlers[handler].expected_since = parts_.clock.now().wall;
  state_dirty_ = settings_.persist_last_run;
  save_state();
}

Result<Journal::Pruned> Engine::prune() {
  const auto now = parts_.clock.now().wall;
  const auto ago = [now](Duration age) { return now - std::chrono::duration_cast<std::chrono::microseconds>(age); };
  Retention retention{ago(settings_.retention), settings_.retention_events, ago(settings_.dead_letter_retention), throttled_since(now), now, {}, ago(limits::kSubscriberForgotten), ago(settings_.audit_retention)};
  for (const auto& topic : settings_.topics) {
    retention.topics.push_back({topic.name, ago(topic.retention.value_or(settings_.retention)), topic.retention_events.value_or(settings_.retention_events)});
  }
  return parts_.journal.prune(retention, limits::kPruneBatch);
}

void Engine::prune_and_go_on() {
  const auto now = parts_.clock.now().steady;
  Duration pause = limits::kPruneInterval;
  waits_stale_ = recovered_;  // a `hark event` may have left some, and ended since
  if (waits_stale_) schedule_turn();
  if (!draining_ && !journal_fault_) {
    const auto pruned = prune();
    if (!pruned) {
      say("warn", "old events were not deleted: " + pruned.error().text());
    } else if (pruned->more) {
      pause = limits::kPrunePause;
    } else {
      remove_stray_outputs();
    }
  }
  pruning_ = pause == limits::kPrunePause;
  prune_timer_->at(now + pause, [this] { prune_and_go_on(); });
}

// A flood must not fill the disk before the next look at the clock.
void Engine::prune_if_many() {
  if (pruning_ || stored_since_prune_ < std::max(settings_.retention_events / 10, limits::kPruneEvents)) return;
  stored_since_prune_ = 0;
  prune_timer_->at(parts_.clock.now().steady, [this] { prune_and_go_on(); });
}

void Engine::remove_stray_outputs() {
  parts_.background.post([this, alive = alive_, &loop = parts_.loop, file = settings_.journal_file, folder = output_folder(settings_), workspaces = workspaces_folder(settings_)] {
    auto journal = open_journal_reader(file);
    const auto removed = !journal ? Result<std::size_t>(journal.error()) : *journal ? hark::remove_stray_outputs(folder, ***journal) : 0;
    auto done = removed ? Status() : Status(removed.error());
    if (done && *journal) done = hark::retire_workspaces(workspaces, [&](const std::string& run_id, bool) { return is_forgotten(***journal, run_id); });
    if (done) done = remove_retired_workspaces(workspaces);
    if (done) return;
    loop.post([this, alive, error = done.error()] {
      if (*alive) say("warn", "what old runs left was not deleted: " + error.text());
    });
  });
}

void Engine::drain(Duration patience, std::function<void()> done) {
  drained_ = std::move(done);
  if (std::exchange(draining_, true)) return cut_off();
  drain_timer_->at(parts_.clock.now().steady + patience, [this] { cut_off(); });
  schedule_turn();
}

void Engine::cut_off() {
  cut_off_ = true;
  executor_.cut_off();
  schedule_turn();
}

void Engine::check_drained() {
  if (!draining_ || !drained_ || state_saving_ || state_dirty_) return;
  const auto ended = std::count_if(reports_.begin(), reports_.end(), [](const Report& report) { return std::holds_alternative<RunReport>(report); });
  if (cut_off_ && journal_fault_) {  // a journal that stays broken must not keep the process for ever
    if (executor_.active() > static_cast<std::size_t>(ended)) return;
    if (ended > 0) say("error", counted(static_cast<std::size_t>(ended), "result") + " could not be written; the runs go on at the next start");
  } else if (executor_.active() > 0 || !reports_.empty()) {
    return;
  }
  drain_timer_->cancel();
  std::exchange(drained_, nullptr)();
}

}  // namespace hark
