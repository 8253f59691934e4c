#include "daemon/sources.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "core/time_zone.h"
#include "platform/boot_id.h"
#include "platform/clock.h"
#include "sources/marks.h"
#include "state/last_run.h"

namespace hark {

namespace {

std::unique_ptr<Source> make(const FileWatcherOptions& options, const std::string&, const SourceParts& parts) {
  return make_file_watcher(options, {parts.loop, parts.clock, parts.workers, parts.marks});
}
std::unique_ptr<Source> make(const GitRefsOptions& options, const std::string&, const SourceParts& parts) {
  return make_git_refs(options, parts.loop, parts.clock, parts.workers, parts.marks, parts.pushes);
}
std::unique_ptr<Source> make(const GitFleetOptions& options, const std::string&, const SourceParts& parts) {
  return make_git_fleet(options, parts.loop, parts.clock, parts.workers, parts.marks, parts.pushes);
}
std::unique_ptr<Source> make(const GitRemoteOptions& options, const std::string&, const SourceParts& parts) {
  return make_git_remote(options, parts.loop, parts.clock, parts.network, parts.remotes, parts.marks);
}
std::unique_ptr<Source> make(const GitPrOptions& options, const std::string&, const SourceParts& parts) {
  return make_git_pr(options, {parts.server, parts.client, parts.loop, parts.clock, parts.network, parts.marks});
}
std::unique_ptr<Source> make(const WebhookOptions& options, const std::string&, const SourceParts& parts) {
  return make_webhook(options, parts.server, parts.loop, parts.clock);
}
std::unique_ptr<Source> make(const ScheduleOptions& options, const std::string& name, const SourceParts& parts) {
  return make_schedule(options, parts.loop, parts.clock, [&last_run = parts.last_run, &all_since = parts.schedules_since, name]() -> std::optional<WallTime> {
    const auto known = last_run.schedules.find(name);
    const auto since = all_since.find(name);
    if (known == last_run.schedules.end()) return since == all_since.end() ? std::nullopt : std::optional(since->second);
    return since == all_since.end() ? known->second : std::max(known->second, since->second);
  }, parts.marks, boot_id());
}
std::unique_ptr<Source> make(const ManualOptions&, const std::string&, const SourceParts&) { return nullptr; }
std::unique_ptr<Source> make(const TopicOptions&, const std::string&, const SourceParts&) { return nullptr; }

// From when on slots are wanted. One that is already planned goes on from its last slot, whatever else about it is new; a new plan
// begins with this very second, so that a slot which falls together with the change is not lost, and is no judge of the past.
void note_since(const SourceSettings& source, const SourceSettings* before, bool at_start, const SourceParts& parts) {
  const auto* schedule = std::get_if<ScheduleOptions>(&source.options);
  if (schedule == nullptr) return;
  const auto now = parts.clock.now().wall;
  if (at_start) {
    if (!parts.last_run.schedules.contains(source.name)) parts.schedules_since[source.name] = now;
    return;
  }
  // One that is added while the machine runs is for its next start.
  if (const auto cron = Cron::parse(schedule->cron); cron && cron->at_boot()) parts.marks.note_marks(source.name, {{std::string(kBootMark), boot_id()}});
  const auto* old = before == nullptr ? nullptr : std::get_if<ScheduleOptions>(&before->options);
  const bool same_plan = old != nullptr && old->cron == schedule->cron && old->timezone == schedule->timezone;
  if (!same_plan) parts.schedules_since[source.name] = WallTime(whole_seconds(now)) - std::chrono::microseconds(1);
}

}  // namespace

std::unique_ptr<Source> make_source(const SourceSettings& settings, const SourceParts& parts) {
  return std::visit([&](const auto& options) { return make(options, settings.name, parts); }, settings.options);
}

std::vector<SourceSupervisor::Wanted> wanted_sources(const Settings& settings, const Settings* running, const std::vector<std::string>& only, const SourceParts& parts) {
  std::unordered_map<std::string_view, const SourceSettings*> before_by_name;
  if (running != nullptr) {
    for (const auto& source : running->sources) before_by_name.emplace(source.name, &source);
  }
  std::vector<SourceSupervisor::Wanted> wanted;
  for (const auto& source : settings.sources) {
    if (std::holds_alternative<ManualOptions>(source.options) || std::holds_alternative<TopicOptions>(source.options)) continue;  // others offer to them
    if (!only.empty() && std::find(only.begin(), only.end(), source.name) == only.end()) continue;
    const auto found = before_by_name.find(source.name);
    const auto* before = found == before_by_name.end() ? nullptr : found->second;
    const bool as_before = before != nullptr && before->options == source.options;
    if (!as_before) note_since(source, before, running == nullptr, parts);
    wanted.push_back({source.name, source.type, as_before ? nullptr : make_source(source, parts)});
  }
  return wanted;
}

}  // namespace hark
