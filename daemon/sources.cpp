#include "daemon/sources.h"

#include <type_traits>

#include "state/last_run.h"

namespace hark {

namespace {

std::unique_ptr<Source> make(const FileWatcherOptions& options, const std::string&, const SourceParts& parts) {
  return make_file_watcher(options, parts.loop, parts.clock);
}
std::unique_ptr<Source> make(const GitRefsOptions& options, const std::string&, const SourceParts& parts) {
  return make_git_refs(options, parts.loop, parts.clock, parts.workers);
}
std::unique_ptr<Source> make(const WebhookOptions& options, const std::string&, const SourceParts& parts) {
  return make_webhook(options, parts.server, parts.clock);
}
std::unique_ptr<Source> make(const ScheduleOptions& options, const std::string& name, const SourceParts& parts) {
  return make_schedule(options, parts.loop, parts.clock, [&last_run = parts.last_run, name]() -> std::optional<WallTime> {
    const auto known = last_run.schedules.find(name);
    return known == last_run.schedules.end() ? std::nullopt : std::optional(known->second);
  });
}
std::unique_ptr<Source> make(const ManualOptions&, const std::string&, const SourceParts&) { return nullptr; }

}  // namespace

std::unique_ptr<Source> make_source(const SourceSettings& settings, const SourceParts& parts) {
  return std::visit([&](const auto& options) { return make(options, settings.name, parts); }, settings.options);
}

}  // namespace hark
