#include "daemon/reload.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "core/printable.h"
#include "platform/clock.h"

namespace hark {

namespace {

std::vector<std::string> texts(const ConfigOutcome& outcome) {
  std::vector<std::string> all;
  for (const auto& error : outcome.errors) all.push_back(error.text());
  if (outcome.more_errors > 0) all.push_back("... and " + counted(outcome.more_errors, "more error"));
  return all;
}

}  // namespace

nlohmann::json to_json(const ReloadOutcome& outcome) {
  nlohmann::json body = {{"difference", to_json(outcome.difference)}, {"text", to_text(outcome.difference)}, {"warnings", outcome.warnings}};
  if (outcome.good()) return body;
  body["title"] = "the configuration is refused";
  body["status"] = 422;
  body["errors"] = outcome.errors;
  return body;
}

Reload::Reload(ReloadParts parts, std::vector<std::filesystem::path> files)
    : parts_(std::move(parts)), files_(std::move(files)), loaded_(parts_.clock.now().wall) {}

ReloadOutcome Reload::judge(const ConfigOutcome& read) const {
  ReloadOutcome outcome;
  outcome.errors = texts(read);
  if (!read.loaded) return outcome;
  outcome.difference = difference(parts_.running, read.loaded->settings);
  outcome.errors.insert(outcome.errors.end(), outcome.difference.refused.begin(), outcome.difference.refused.end());
  outcome.warnings = read.loaded->warnings;
  return outcome;
}

ReloadOutcome Reload::plan() const { return judge(parts_.load()); }

ReloadOutcome Reload::run(const std::string& why) { return take(why, false); }

ReloadOutcome Reload::take(const std::string& why, bool by_itself) {
  auto read = parts_.load();
  auto outcome = judge(read);
  if (outcome.good()) {
    if (auto applied = parts_.apply(std::move(read.loaded->settings)); !applied) outcome.errors.push_back(applied.error().text());
  }
  if (!outcome.good()) {
    // What goes on being wrong is said once; whoever asks for it is told each time.
    const bool news = !by_itself || !refused_ || refused_->errors != outcome.errors;
    refused_ = Refused{parts_.clock.now().wall, outcome.errors};
    if (news) say_refused(why, outcome.errors);
    if (news && by_itself && parts_.by_itself) parts_.by_itself(outcome);
    if (watch_) watch_->watch(files_, read.files);
    return outcome;
  }
  loaded_ = parts_.clock.now().wall;
  files_ = std::move(read.files);
  const bool mended = std::exchange(refused_, std::nullopt).has_value();
  if (!outcome.difference.empty()) {
    for (const auto& warning : outcome.warnings) say("warn", warning);
    say("info", why + ": the configuration was read again: " + to_text(outcome.difference));
  } else if (!by_itself || mended) {
    say("info", why + ": the configuration says what it said before");
  }
  if (by_itself && parts_.by_itself && (!outcome.difference.empty() || mended)) parts_.by_itself(outcome);
  watch();
  return outcome;
}

void Reload::say_refused(const std::string& why, const std::vector<std::string>& errors) {
  say("error", why + ": the configuration is refused for " + counted(errors.size(), "error") + ", the one of " + to_rfc3339(loaded_) + " stays in force");
  for (const auto& error : errors) say("error", error);
}

void Reload::watch() {
  if (!parts_.running.reload_automatically) return watch_.reset();
  if (!watch_) watch_ = std::make_unique<ConfigWatch>(parts_.loop, parts_.clock, [this] { take("a file of it has changed", true); }, [this](const Error& error) { say("warn", error.text()); });
  watch_->watch(files_, {});
}

nlohmann::json Reload::status_json() const {
  nlohmann::json status = {{"loaded", to_rfc3339(loaded_)}};
  if (refused_) status["refused"] = {{"time", to_rfc3339(refused_->time)}, {"errors", refused_->errors}};
  return status;
}

void Reload::say(std::string_view level, std::string message) { parts_.emitter.emit(lifecycle::Note{level, std::move(message)}); }

}  // namespace hark
