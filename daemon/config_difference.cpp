#include "daemon/config_difference.h"

#include <string_view>
#include <unordered_map>

#include <nlohmann/json.hpp>

namespace hark {

namespace {

template <auto Member>
bool same(const Settings& a, const Settings& b) {
  return a.*Member == b.*Member;
}

struct Key {
  std::string_view name;
  bool (*same)(const Settings&, const Settings&);
  std::string_view why_restart = {};  // empty: it can change while the daemon runs
};

constexpr std::string_view kJournal = "the work that waits is in the old journal";
constexpr std::string_view kState = "the last runs are known from the old state";
constexpr std::string_view kLog = "the log is open";

// Every member of Settings but sources, handlers and hooks.
constexpr Key kKeys[] = {
    {"mode", same<&Settings::mode>, "a daemon runs"},
    {"max_concurrent_handlers", same<&Settings::max_concurrent_handlers>},
    {"queue_limit", same<&Settings::queue_limit>},
    {"queue_overflow", same<&Settings::queue_overflow>},
    {"state_file", same<&Settings::state_file>, kState},
    {"journal_file", same<&Settings::journal_file>, kJournal},
    {"persist_last_run", same<&Settings::persist_last_run>, kState},
    {"retention", same<&Settings::retention>},
    {"retention_events", same<&Settings::retention_events>},
    {"dead_letter_retention", same<&Settings::dead_letter_retention>},
    {"audit_retention", same<&Settings::audit_retention>},
    {"webhook_host", same<&Settings::webhook_host>},
    {"webhook_port", [](const Settings& a, const Settings& b) { return a.webhook_port == b.webhook_port && a.listen == b.listen; }},
    {"webhook_tls", same<&Settings::webhook_tls>},
    {"trusted_proxies", same<&Settings::trusted_proxies>},
    {"api", same<&Settings::api>},
    {"drain_timeout", same<&Settings::drain_timeout>},
    {"log_level", same<&Settings::log_level>},
    {"log_format", same<&Settings::log_format>, kLog},
    {"log_repeats", same<&Settings::log_repeats>},
    {"log_file", same<&Settings::log_file>, kLog},
    {"reload", same<&Settings::reload_automatically>},
    {"secrets", same<&Settings::secrets>},
    {"signals", same<&Settings::signals>},
    {"topics", same<&Settings::topics>},
    {"providers", same<&Settings::providers>},
};

// A member that is new is to be named here, and in the table above.
[[maybe_unused]] void every_member_is_known(const Settings& settings) {
  [[maybe_unused]] const auto& [mode, max_concurrent_handlers, queue_limit, queue_overflow, state_file, journal_file, persist_last_run, retention,
                                retention_events, dead_letter_retention, audit_retention, webhook_host, webhook_port, webhook_tls, trusted_proxies, api, listen, drain_timeout, log_level, log_format, log_repeats,
                                log_file, reload_automatically, secrets, sources, topics, signals, providers, handlers, hooks, file] = settings;
}

template <class Item>
ConfigDifference::Names compare(const std::vector<Item>& running, const std::vector<Item>& wanted) {
  std::unordered_map<std::string_view, const Item*> gone;
  for (const auto& item : running) gone.emplace(item.name, &item);
  ConfigDifference::Names names;
  for (const auto& item : wanted) {
    const auto before = gone.extract(item.name);
    if (before.empty()) {
      names.added.push_back(item.name);
    } else if (!(*before.mapped() == item)) {
      names.changed.push_back(item.name);
    }
  }
  for (const auto& item : running) {
    if (gone.contains(item.name)) names.removed.push_back(item.name);
  }
  return names;
}

std::string listed(const ConfigDifference::Names& names) {
  std::string list;
  const auto add = [&](char sign, const std::vector<std::string>& some) {
    for (const auto& name : some) list += (list.empty() ? "" : ", ") + (sign + name);
  };
  add('+', names.added);
  add('~', names.changed);
  add('-', names.removed);
  return list;
}

nlohmann::json names_json(const ConfigDifference::Names& names) {
  return {{"added", names.added}, {"changed", names.changed}, {"removed", names.removed}};
}

}  // namespace

ConfigDifference difference(const Settings& running, const Settings& wanted) {
  ConfigDifference found;
  found.sources = compare(running.sources, wanted.sources);
  found.handlers = compare(running.handlers, wanted.handlers);
  found.hooks = compare(running.hooks, wanted.hooks);
  if (running.file != wanted.file) {
    found.refused.push_back("the configuration is " + wanted.file.string() + " now, it was " + running.file.string() + ": put that back, or restart the daemon");
  }
  for (const auto& key : kKeys) {
    if (key.same(running, wanted)) continue;
    if (key.why_restart.empty()) {
      found.keys.emplace_back(key.name);
    } else {
      found.refused.push_back(std::string(key.name) + ": needs a restart (" + std::string(key.why_restart) + ")");
    }
  }
  return found;
}

std::string to_text(const ConfigDifference& difference) {
  std::string text;
  const auto add = [&](std::string_view what, const std::string& list) {
    if (!list.empty()) text += (text.empty() ? "" : "; ") + std::string(what) + ": " + list;
  };
  std::string keys;
  for (const auto& key : difference.keys) keys += (keys.empty() ? "" : ", ") + key;
  add("sources", listed(difference.sources));
  add("handlers", listed(difference.handlers));
  add("hooks", listed(difference.hooks));
  add("settings", keys);
  return text.empty() ? "nothing" : text;
}

nlohmann::json to_json(const ConfigDifference& difference) {
  return {{"sources", names_json(difference.sources)}, {"handlers", names_json(difference.handlers)}, {"hooks", names_json(difference.hooks)}, {"settings", difference.keys}};
}

}  // namespace hark
