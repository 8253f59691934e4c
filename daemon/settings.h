// A whole configuration, checked: what daemon/config makes of TOML. Values; nothing here refers back to the text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/time.h"
#include "daemon/signal.h"
#include "handlers/handler.h"
#include "platform/jwt.h"
#include "reporters/hook.h"
#include "router/rule.h"
#include "sources/file_watcher.h"
#include "sources/git_fleet.h"
#include "sources/git_pr.h"
#include "sources/git_refs.h"
#include "sources/git_remote.h"
#include "sources/schedule.h"
#include "sources/webhook.h"

namespace hark {

struct ManualOptions {
  std::string name;
  friend bool operator==(const ManualOptions&, const ManualOptions&) = default;
};

// Events published on the bus.
struct TopicOptions {
  std::string name;
  EventPattern published;  // for the rule: nobody but the router has to do with it
  friend bool operator==(const TopicOptions&, const TopicOptions&) = default;
};

struct SourceSettings {
  std::string name;
  std::string type;  // "file_change", "git_push", "git_pr", "webhook", "schedule", "manual", "topic"
  std::variant<FileWatcherOptions, GitRefsOptions, GitFleetOptions, GitRemoteOptions, GitPrOptions, WebhookOptions, ScheduleOptions, ManualOptions, TopicOptions> options;
  Rule rule;
  friend bool operator==(const SourceSettings&, const SourceSettings&) = default;
};

// How long events of one topic of the bus are kept; what is not said is as with all others.
struct TopicSettings {
  std::string name;
  std::optional<Duration> retention;
  std::optional<std::uint64_t> retention_events;
  friend bool operator==(const TopicSettings&, const TopicSettings&) = default;
};

struct ProviderSettings {
  ProviderOptions options;
  // Of prompt steps that do not say otherwise.
  Retry retry;
  std::optional<Duration> timeout;  // of one attempt
  friend bool operator==(const ProviderSettings&, const ProviderSettings&) = default;
};

// Who may call the API over TCP.
struct ApiSettings {
  bool enabled = true;  // over TCP at all
  TokenRules rules;     // without keys: whoever calls from this machine, while it listens on loopback
  bool require_token = false;  // from this machine as well
  Rate rate_limit{1000, std::chrono::seconds(1)};  // of each token's subject
  int max_readers = limits::kApiStreams;           // streams, sockets and polls of each
  std::map<std::string, std::vector<std::string>> subscriptions;  // type of agent -> globs of topics that it may read
  friend bool operator==(const ApiSettings&, const ApiSettings&) = default;
};

enum class QueueOverflow { queue, drop, error };

struct Settings {
  std::string mode = "daemon";  // "daemon" | "one-shot"
  int max_concurrent_handlers = 4;
  std::size_t queue_limit = 10000;
  QueueOverflow queue_overflow = QueueOverflow::queue;
  std::filesystem::path state_file;    // absolute, as all paths here
  std::filesystem::path journal_file;
  bool persist_last_run = true;
  Duration retention = std::chrono::hours(24);
  std::uint64_t retention_events = 10000;
  Duration dead_letter_retention = std::chrono::hours(24 * 30);
  Duration audit_retention = std::chrono::hours(24 * 365);
  std::string webhook_host = "127.0.0.1";
  std::uint16_t webhook_port = 8080;
  struct Tls {
    std::filesystem::path certificate;  // empty: the listener is plain
    std::filesystem::path key;
    friend bool operator==(const Tls&, const Tls&) = default;
  } webhook_tls;
  std::vector<IpNetwork> trusted_proxies;  // of the listener: whose X-Forwarded-For is believed
  ApiSettings api;
  bool listen = false;                 // a webhook source, or webhook_port named: the TCP listener is wanted
  Duration drain_timeout = std::chrono::seconds(30);
  std::string log_level = "info";
  std::string log_format = "text";
  std::size_t log_repeats = 100;       // lines of one kind a second; 0: all
  std::filesystem::path log_file;      // empty: standard error
  bool reload_automatically = false;   // when a file of the configuration changes
  std::vector<std::string> secrets;    // what is masked (core/mask.h), sorted, each once

  std::vector<SourceSettings> sources;
  std::vector<TopicSettings> topics;
  std::vector<SignalOptions> signals;
  std::vector<ProviderSettings> providers;
  std::vector<Handler> handlers;       // with what they take of the providers
  std::vector<Hook> hooks;             // in the order they are asked
  std::filesystem::path file;          // the configuration's own file
};

}  // namespace hark
