#include "platform/base_environment.h"

#include <algorithm>
#include <array>

#include "core/glob.h"
#include "core/limits.h"

namespace hark {
namespace {

bool meant_for_the_daemon(std::string_view name) {
  return name == "NOTIFY_SOCKET" || name == "LISTEN_FDS" || name == "LISTEN_PID" || name == "LISTEN_FDNAMES" ||
         name.starts_with("WATCHDOG_");
}

// Who one is, where things are, how to speak: what programs expect of any session. Nothing that lends out a right: SSH_AUTH_SOCK signs
// with a person's keys for whoever an event can make run, a proxy's URL may hold a password.
bool in_every_command(std::string_view name) {
  constexpr std::array<std::string_view, 11> kNames = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG",
                                                       "LANGUAGE", "TZ", "TMPDIR", "TERM", "XDG_RUNTIME_DIR"};
  return name.starts_with("LC_") || std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

std::string_view variable_name(std::string_view text) { return text.substr(0, text.find('=')); }

std::vector<std::string> without_the_daemons_own(char** environ_block) {
  std::vector<std::string> strings;
  for (char** entry = environ_block; entry != nullptr && *entry != nullptr; ++entry) {
    if (!meant_for_the_daemon(variable_name(*entry))) strings.emplace_back(*entry);
  }
  return strings;
}

}  // namespace

BaseEnvironment::BaseEnvironment(std::vector<std::string> strings) : strings_(std::move(strings)) {
  for (std::size_t i = 0; i < strings_.size(); ++i) places_.emplace(variable_name(strings_[i]), i);
}

std::size_t BaseEnvironment::find(std::string_view name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? npos : found->second;
}

DaemonEnvironment::DaemonEnvironment(char** environ_block)
    : whole_(std::make_shared<const BaseEnvironment>(without_the_daemons_own(environ_block))), base_(part({})) {}

std::shared_ptr<const BaseEnvironment> DaemonEnvironment::part(const std::vector<std::string>& pass) const {
  std::vector<std::string> strings;
  for (const auto& text : whole_->strings()) {
    const auto name = variable_name(text);
    const auto is_meant = [&](const std::string& pattern) { return wildcard_match(pattern, name); };
    if (in_every_command(name) || std::any_of(pass.begin(), pass.end(), is_meant)) strings.push_back(text);
  }
  return std::make_shared<const BaseEnvironment>(std::move(strings));
}

std::shared_ptr<const BaseEnvironment> DaemonEnvironment::chosen(const EnvironmentChoice& choice) const {
  if (choice.inherit) return whole_;
  if (choice.pass.empty()) return base_;
  std::lock_guard lock(mutex_);
  for (const auto& [pass, made] : parts_) {
    if (pass == choice.pass) return made;
  }
  if (parts_.size() >= limits::kHandlers) parts_.clear();  // of configurations that were reloaded away
  return parts_.emplace_back(choice.pass, part(choice.pass)).second;
}

}  // namespace hark
