#include <algorithm>

#include "core/limits.h"
#include "daemon/config_mapping.h"

namespace hark {
namespace {

QueueOverflow overflow_of(const std::string& word) {
  if (word == "drop") return QueueOverflow::drop;
  if (word == "error") return QueueOverflow::error;
  return QueueOverflow::queue;
}

std::string host_of(TableReader& reader) {
  std::string host = reader.string("webhook_host", "127.0.0.1");
  const auto odd = [](unsigned char c) { return c <= 0x20 || c >= 0x7f || c == '/'; };
  if (std::any_of(host.begin(), host.end(), odd)) {
    reader.fail(*reader.any("webhook_host"), "webhook_host",
                "expected an address or a host name, such as \"127.0.0.1\" or \"::\"");
  }
  return host;
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
  to.webhook_host = host_of(reader);
  to.webhook_port = static_cast<std::uint16_t>(reader.integer("webhook_port", 8080, 0, 65535));
  to.listen = reader.has("webhook_port");
  to.log_level = reader.choice("log_level", {"trace", "debug", "info", "warn", "error", "off"}, "info");
  to.log_format = reader.choice("log_format", {"text", "json"}, "text");
  to.log_file = reader.file_path("log_file", "", context.base);
  to.drain_timeout = reader.duration("drain_timeout", "30s", kNoTime);
  if (!to.state_file.empty() && to.state_file == to.journal_file) {
    const char* key = reader.has("journal_file") ? "journal_file" : "state_file";
    reader.fail(*reader.any(key), key,
                "is the same file as `" + std::string(key[0] == 'j' ? "state_file" : "journal_file") + "`");
  }
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
    const bool used = std::any_of(settings.sources.begin(), settings.sources.end(), [&](const SourceSettings& source) {
      const auto& names = source.rule.handlers;
      return std::find(names.begin(), names.end(), entry.key) != names.end();
    });
    if (!used) {
      reader.warn(entry.key_place, "handlers", "no source uses `" + entry.key + "`; it runs only when it is triggered by name");
    }
  }
}

}  // namespace

Settings map_settings(const ConfigNode& root, const ConfigFile& file, const ConfigRequest& request, ConfigReport& report) {
  Settings settings;
  settings.file = file.path;
  TableReader reader(root, "", "", report);
  reader.not_yet({"hooks", "providers", "signals"});
  const ConfigNode* handlers = reader.table("handlers");
  MappingContext context{request, file.base, keys_of(handlers), settings, report};
  read_top(reader, context);
  const std::vector<const ConfigNode*> sources = reader.tables("sources");
  if (sources.size() > limits::kSources) {
    reader.fail(*reader.any("sources"), "sources", "more than " + std::to_string(limits::kSources) + " sources");
  } else {
    read_sources(sources, context);
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
  reader.finish();
  return settings;
}

}  // namespace hark
