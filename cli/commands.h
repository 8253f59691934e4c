// The commands: each takes its parsed options and returns an exit status. Data goes to standard output, talk to standard error.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hark {

// What every command that needs a configuration understands.
struct CommonOptions {
  std::optional<std::string> config;
  std::optional<std::string> profile;
  std::string socket;   // empty: where the configuration says
  std::string journal;  // the same
  bool json = false;
};

struct DaemonCommand {
  CommonOptions common;
  std::vector<std::string> sources;
  bool background = false;
  std::string pid_file;
};
int daemon_command(const DaemonCommand& command);

struct StatusCommand {
  CommonOptions common;
  bool watch = false;
  std::chrono::nanoseconds interval = std::chrono::seconds(1);
};
int status_command(const StatusCommand& command);
int stop_command(const CommonOptions& common);
int emergency_stop_command(const CommonOptions& common);
int reload_command(const CommonOptions& common);

struct PauseCommand {
  CommonOptions common;
  std::string handler;
  bool pause = true;
};
int pause_command(const PauseCommand& command);

struct TriggerCommand {
  CommonOptions common;
  std::string handler;
  std::string payload;   // JSON, @file, -
  bool wait = false;
};
int trigger_command(const TriggerCommand& command);

struct PublishCommand {
  CommonOptions common;
  std::string type;
  std::string topic;
  std::string subject;
  std::string publisher;
  std::string data;            // JSON, @file, -
  std::string correlation_id;  // empty: of the run that it is in, if it is in one
  std::string key;             // the caller's own of this event
  std::optional<std::chrono::nanoseconds> ttl;
  int priority = 0;
};
int publish_command(const PublishCommand& command);

struct WaitCommand {
  CommonOptions common;
  std::vector<std::string> types;   // globs
  std::vector<std::string> topics;  // globs; none: any
  std::string filter;
  std::string subscriber;           // a name under which the daemon knows how far one has read
  std::optional<std::uint64_t> after;
  std::optional<std::chrono::nanoseconds> timeout;
  std::uint64_t count = 1;
  bool follow = false;              // all that come, until interrupted
};
int wait_command(const WaitCommand& command);

struct TokenCommand {
  CommonOptions common;
  std::string subject;
  std::vector<std::string> scopes;
  std::string agent_type;
  std::string audience;                             // empty: the configuration's first
  std::string key_file;                             // empty: the configuration's first key that signs
  std::chrono::nanoseconds expires = std::chrono::hours(24 * 30);  // from now
  std::string token;                                // to be shown
};
int token_create_command(const TokenCommand& command);
int token_show_command(const TokenCommand& command);

int session_command(const CommonOptions& common, const std::string& id);  // of a story, an event, or a run

struct HistoryCommand {
  CommonOptions common;
  std::size_t limit = 20;
  std::string handler;
  std::string filter;
  std::string id;        // one run, with its steps; or an event, with its runs
  bool events = false;   // what arrived and what became of it, instead of what ran
  bool from_daemon = false;
  bool follow = false;   // what ends from now on
};
int history_command(const HistoryCommand& command);

int explain_command(const CommonOptions& common, const std::string& id);  // of an event, or of a run: its event

struct DeadLettersCommand {
  CommonOptions common;
  std::vector<std::string> ids;
  std::string handler;   // list: only of this one
  std::string filter;
  std::size_t limit = 20;
  bool all = false;
  bool dry_run = false;
};
int list_dead_letters_command(const DeadLettersCommand& command);
int show_dead_letter_command(const CommonOptions& common, const std::string& id);
int settle_dead_letters_command(const DeadLettersCommand& command, bool retry);  // or discard

struct ReplayCommand {
  CommonOptions common;
  std::vector<std::string> ids;
  std::string since;          // in their place: what arrived from outside, since then
  std::string until;          // empty: now
  std::string source;
  std::string filter;
  std::string handler;        // only this one of those that the rules name
  std::string rate = "50/s";
  bool dry_run = false;
};
int replay_command(const ReplayCommand& command);

int cancel_command(const CommonOptions& common, const std::string& run);

struct RefusalsCommand {
  CommonOptions common;
  std::string source;  // empty: all
  std::size_t limit = 20;
};
int refusals_command(const RefusalsCommand& command);

struct AuditCommand {
  CommonOptions common;
  std::size_t limit = 20;
  std::string action, who;  // empty: all
};
int audit_command(const AuditCommand& command);

struct EventCommand {
  CommonOptions common;
  std::string type = "manual";
  std::string payload;
  std::string subject;
  std::string source;
  std::string handler;
  bool dry_run = false;
};
int event_command(const EventCommand& command);

struct ConfigCheckCommand {
  CommonOptions common;
  bool online = false;  // ask each provider, too
};
int config_check_command(const ConfigCheckCommand& command);
int config_show_command(const CommonOptions& common);
int config_plan_command(const CommonOptions& common);

struct InitCommand {
  std::string profile = "minimal";
  std::string output = "hark.toml";  // "-": standard output
  bool list = false;                 // which profiles there are, and nothing else
  bool json = false;
};
int init_command(const InitCommand& command);

struct HookCommand {
  CommonOptions common;
  std::vector<std::string> repositories;  // empty: the folder it is called in
};
int install_hook_command(const HookCommand& command);
int uninstall_hook_command(const HookCommand& command);
int receive_hook_command(const HookCommand& command);  // what the hook calls

int ls_remote_command();  // what the daemon asks itself: daemon/ask_remote.h

struct CronCommand {
  std::vector<std::string> words;  // one, when it was quoted
  std::string timezone;
  std::string from;  // RFC 3339, or a date, or a date and a time in the time zone; empty: now
  std::string dst = "cron";
  std::size_t count = 5;
  bool json = false;
};
int cron_next_command(const CronCommand& command);
int cron_explain_command(const CronCommand& command);

}  // namespace hark
