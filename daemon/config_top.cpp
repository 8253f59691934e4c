#include <algorithm>

#include "core/limits.h"
#include "daemon/config_mapping.h"
#include "daemon/places.h"
#include "platform/listen_socket.h"
#include "platform/tls.h"

namespace hark {
namespace {

QueueOverflow overflow_of(const std::string& word) {
  if (word == "drop") return QueueOverflow::drop;
  if (word == "error") return QueueOverflow::error;
  return QueueOverflow::queue;
}

std::string host_of(TableReader& reader) {
  std::string host = reader.string("webhook_host", "127.0.0.1");
  if (!host.empty() && !could_be_host(host)) {
    reader.fail(*reader.any("webhook_host"), "webhook_host",
                "expected an address or a host name, such as \"127.0.0.1\" or \"::\"");
  }
  return host;
}

// Read here as well, so that a check finds what is wrong with the files.
Settings::Tls tls_of(TableReader& outer) {
  Settings::Tls tls;
  const ConfigNode* table = outer.table("webhook_tls");
  if (table == nullptr) return tls;
  auto reader = outer.within(*table, "webhook_tls");
  for (const auto& [key, into] : {std::pair("certificate", &tls.certificate), std::pair("key", &tls.key)}) {
    *into = reader.file_path(key, "", {});
    if (!reader.has(key)) reader.fail_table("`webhook_tls` needs `certificate` and `key`, the names of two PEM files");
  }
  if (!tls.certificate.empty() && !tls.key.empty()) {
    if (const auto read = TlsCertificate::load(tls.certificate, tls.key); !read) reader.fail(*reader.any("certificate"), "certificate", read.error().text());
  }
  reader.finish();
  return tls;
}

// Said once of a pair, at the key that was written (the later one, where both were).
void check_pair(TableReader& reader, const OwnFiles& one, const OwnFiles& other) {
  for (const auto& mine : one.files) {
    for (const auto& theirs : other.files) {
      if (!in_each_others_way(mine, theirs)) continue;
      const bool here = reader.has(one.key);
      const auto& at = here ? one : other;
      const auto& with = here ? other : one;
      if (!reader.has(at.key)) return;
      const auto& its = here ? theirs : mine;
      reader.fail(*reader.any(at.key), at.key,
                  its == with.files.front() ? "is the same file as " + with.name() : "is in the way of " + with.name() + ", which has " + its.filename().string());
      return;
    }
  }
}

void check_own_files(TableReader& reader, const Settings& settings) {
  const auto all = own_files(settings);
  for (std::size_t later = 1; later < all.size(); ++later) {
    for (std::size_t earlier = 0; earlier < later; ++earlier) check_pair(reader, all[later], all[earlier]);
  }
}

void read_top(TableReader& reader, MappingContext& context) {
  constexpr auto kNoTime = Duration::zero();
  constexpr Duration kLeast = std::chrono::milliseconds(1);
  Settings& to = context.settings;
  if (const ConfigNode* extends = reader.text("extends")) reader.show_text("extends", *extends);
  to.mode = reader.choice("mode", {"daemon", "one-shot"}, "daemon");
  to.max_concurrent_handlers = static_cast<int>(reader.integer("max_concurrent_handlers", 4, 1, limits::kConcurrentHandlers));
  to.queue_limit = static_cast<std::size_t>(reader.integer("queue_limit", 10'000, 1, limits::kQueueLimit));
  to.queue_overflow = overflow_of(reader.choice("queue_overflow", {"queue", "drop", "error"}, "queue"));
  to.state_file = reader.file_path("state_file", ".hark/state.json", context.base);
  to.journal_file = reader.file_path("journal_file", ".hark/journal.db", context.base);
  to.persist_last_run = reader.boolean("persist_last_run", true);
  to.retention = reader.duration("retention", "24h", kLeast);
  to.retention_events = static_cast<std::uint64_t>(reader.integer("retention_events", 10'000, 1, limits::kRetentionEvents));
  to.dead_letter_retention = reader.duration("dead_letter_retention", "30d", kLeast);
  to.audit_retention = reader.duration("audit_retention", "365d", kLeast);
  to.webhook_host = host_of(reader);
  to.webhook_port = static_cast<std::uint16_t>(reader.integer("webhook_port", 8080, 0, 65535));
  to.webhook_tls = tls_of(reader);
  to.trusted_proxies = read_networks(reader, "trusted_proxies");
  to.listen = reader.has("webhook_port");
  to.log_level = reader.choice("log_level", {"trace", "debug", "info", "warn", "error", "off"}, "info");
  to.log_format = reader.choice("log_format", {"text", "json"}, "text");
  to.log_repeats = static_cast<std::size_t>(reader.integer("log_repeats", 100, 0, limits::kLogRepeats));
  to.log_file = reader.file_path("log_file", "", context.base);
  to.drain_timeout = reader.duration("drain_timeout", "30s", kNoTime);
  to.reload_automatically = reader.choice("reload", {"manual", "auto"}, "manual") == "auto";
  read_secret_names(reader, context.request);
  check_own_files(reader, to);
}

std::vector<std::string> keys_of(const ConfigNode* table) {
  std::vector<std::string> keys;
  if (table == nullptr) return keys;
  for (const ConfigEntry& entry : table->entries) keys.push_back(entry.key);
  return keys;
}

// Any handler can be triggered by name, so one that nothing starts is worth a look and no more.
void note_unused_handlers(const ConfigNode& handlers, TableReader& reader, const Settings& settings) {
  const bool by_hand =
      std::any_of(settings.sources.begin(), settings.sources.end(), [](const SourceSettings& s) { return s.type == "manual"; });
  if (by_hand) return;
  for (const ConfigEntry& entry : handlers.entries) {
    const bool tells = std::any_of(settings.handlers.begin(), settings.handlers.end(), [&](const Handler& handler) { return handler.on_failure == entry.key || handler.on_overdue == entry.key; });
    const bool used = tells || std::any_of(settings.sources.begin(), settings.sources.end(), [&](const SourceSettings& source) {
      const auto& names = source.rule.handlers;
      return std::find(names.begin(), names.end(), entry.key) != names.end();
    });
    if (!used) {
      reader.hint(entry.key_place, "handlers",
                  "no source uses `" + entry.key + "`; it runs only when it is triggered by name. If that is meant, say so with a source: " +
                      "[[sources]] type = \"manual\"");
    }
  }
}

}  // namespace

Settings map_settings(const ConfigNode& root, const ConfigFile& file, const ConfigRequest& request, ConfigReport& report, std::vector<std::filesystem::path>& files) {
  Settings settings;
  settings.file = file.path;
  TableReader reader(root, "", "", report);
  const ConfigNode* handlers = reader.table("handlers");
  std::vector<std::filesystem::path> recipes;
  MappingContext context{request, file.base, keys_of(handlers), settings, report, files, recipes};
  read_top(reader, context);
  if (const ConfigNode* providers = reader.table("providers")) read_providers(*providers, context);
  if (const ConfigNode* signals = reader.table("signals")) read_signals(*signals, context);
  if (const ConfigNode* topics = reader.table("topics")) read_topics(*topics, context);
  if (const ConfigNode* api = reader.table("api")) read_api(*api, context);
  if (const ConfigNode* subscriptions = reader.table("subscriptions")) read_subscriptions(*subscriptions, context);
  const std::vector<const ConfigNode*> sources = reader.tables("sources");
  if (sources.size() > limits::kSources) {
    reader.fail(*reader.any("sources"), "sources", "more than " + std::to_string(limits::kSources) + " sources");
  } else {
    read_sources(sources, context);
  }
  const std::vector<const ConfigNode*> hooks = reader.tables("hooks");
  if (hooks.size() > limits::kHooks) {
    reader.fail(*reader.any("hooks"), "hooks", "more than " + std::to_string(limits::kHooks) + " hooks");
  } else {
    read_hooks(hooks, context);
  }
  if (handlers != nullptr) {
    if (handlers->entries.size() > limits::kHandlers) {
      reader.fail(*handlers, "handlers", "more than " + std::to_string(limits::kHandlers) + " handlers");
    } else {
      read_handlers(*handlers, context);
      note_unused_handlers(*handlers, reader, settings);
    }
  }
  if (handlers == nullptr && !reader.has("handlers")) {
    report.warning(root.place, "no handlers are configured: there is nothing to run");
  }
  check_listener(reader, settings);
  reader.warn_if_idle("webhook_host", !settings.listen, "nothing listens on TCP without a webhook source or `webhook_port`");
  reader.finish();
  return settings;
}

}  // namespace hark
