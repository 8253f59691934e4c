// [api] and [subscriptions]: who may call the API over TCP.
#include <algorithm>
#include <string>
#include <utility>

#include "core/limits.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"
#include "platform/file_system.h"
#include "platform/listen_socket.h"

namespace hark {
namespace {

// Reports, or keeps what it was given.
template <class Keys>
void keep_keys(TableReader& reader, const ConfigNode& node, std::string_view key, Result<Keys> made, TokenRules& rules) {
  if (!made) return reader.fail(node, key, made.error().text());
  if constexpr (std::is_same_v<Keys, SigningKey>) {
    rules.keys.push_back(std::move(*made));
  } else {
    rules.keys.insert(rules.keys.end(), made->begin(), made->end());
  }
}

// A file of the configuration that need not be a secret; nullopt: reported.
std::optional<std::string> read_text_file(TableReader& reader, const ConfigNode& node, std::string_view key, const std::filesystem::path& path) {
  RealFileSystem files;
  auto text = files.read(path, limits::kSecretFile);
  if (!text) return reader.fail(node, key, text.error().text()), std::nullopt;
  if (!text->has_value()) return reader.fail(node, key, "no such file: " + path.string()), std::nullopt;
  return std::move(**text);
}

// What it holds says what it is: keys in PEM, or a secret.
void read_key_file(TableReader& reader, const ConfigNode& node, std::string_view key, const std::filesystem::path& path, TokenRules& rules) {
  const auto text = read_text_file(reader, node, key, path);
  if (!text) return;
  if (SigningKey::is_pem(*text)) return keep_keys(reader, node, key, SigningKey::from_pem(*text), rules);
  if (auto secret = read_secret_file(reader, node, key, path)) keep_keys(reader, node, key, SigningKey::from_secret(std::move(*secret)), rules);
}

void show_list(TableReader& reader, const std::string& key, const std::vector<const ConfigNode*>& nodes) {
  if (reader.has(key)) reader.show_texts(key, nodes, reader.any(key));
}

void read_keys(TableReader& reader, MappingContext& context, TokenRules& rules) {
  const auto secrets = reader.texts("key"), files = reader.texts("key_file"), credentials = reader.texts("credential");
  show_list(reader, "key", secrets);
  for (const ConfigNode* node : secrets) {
    reader.keep_secret(*node, "key", node->text);
    keep_keys(reader, *node, "key", SigningKey::from_secret(node->text), rules);
  }
  show_list(reader, "key_file", files);
  for (const ConfigNode* node : files) {
    if (const auto path = reader.resolve(*node, "key_file")) read_key_file(reader, *node, "key_file", *path, rules);
  }
  show_list(reader, "credential", credentials);
  for (const ConfigNode* node : credentials) {
    if (const auto path = credential_path(reader, *node, context.request)) read_key_file(reader, *node, "credential", *path, rules);
  }
  if (const ConfigNode* node = reader.text("jwks_file")) {
    reader.show_text("jwks_file", *node);
    const auto path = reader.resolve(*node, "jwks_file");
    const auto text = path ? read_text_file(reader, *node, "jwks_file", *path) : std::nullopt;
    if (text) keep_keys(reader, *node, "jwks_file", SigningKey::from_jwks(*text), rules);
  }
  if (rules.keys.size() > limits::kTokenKeys) reader.fail_table("more than " + std::to_string(limits::kTokenKeys) + " keys");
}

}  // namespace

void read_api(const ConfigNode& table, MappingContext& context) {
  TableReader reader(table, "api", "[api]", context.report);
  auto& api = context.settings.api;
  api.enabled = reader.boolean("enabled", true);
  read_keys(reader, context, api.rules);
  api.rules.issuer = reader.string("issuer", "");
  const auto audiences = reader.texts("audience");
  show_list(reader, "audience", audiences);
  for (const ConfigNode* node : audiences) {
    if (node->text.empty()) reader.fail(*node, "audience", "expected a name, found it empty");
    api.rules.audiences.push_back(node->text);
  }
  api.rules.leeway = reader.duration("leeway", "30s", Duration::zero());
  if (api.rules.leeway > std::chrono::hours(1)) reader.fail(*reader.any("leeway"), "leeway", "expected at most an hour: clocks that are further apart want mending");
  api.require_token = reader.boolean("require_token", false);
  if (api.require_token && api.rules.keys.empty()) reader.fail_key("require_token", "there is no key that a token could be checked with: give `key`, `key_file` or `jwks_file`");
  if (const ConfigNode* node = reader.text("rate_limit")) {
    reader.show_text("rate_limit", *node);
    if (const auto rate = Rate::parse(node->text); rate) {
      api.rate_limit = *rate;
    } else {
      reader.fail(*node, "rate_limit", rate.error().text());
    }
  } else if (!reader.has("rate_limit")) {
    reader.show("rate_limit", toml_string(to_string(api.rate_limit)), nullptr);
  }
  api.max_readers = static_cast<int>(reader.integer("max_readers", limits::kApiStreams, 1, static_cast<std::int64_t>(limits::kBusReaders)));
  reader.finish();
}

void read_subscriptions(const ConfigNode& table, MappingContext& context) {
  TableReader reader(table, "subscriptions", "[subscriptions]", context.report);
  for (const ConfigEntry& entry : table.entries) {
    std::vector<std::string> topics;
    const auto nodes = reader.texts(entry.key);
    show_list(reader, entry.key, nodes);
    for (const ConfigNode* node : nodes) {
      if (const auto glob = Glob::parse(node->text); !glob) reader.fail(*node, entry.key, "expected a topic: " + glob.error().text());
      topics.push_back(node->text);
    }
    context.settings.api.subscriptions.emplace(entry.key, std::move(topics));
  }
  if (context.settings.api.rules.keys.empty()) reader.fail_table("types of agents are told by tokens, and [api] has no key to check them with");
}

// Whoever can reach the listener could steer hark.
void check_listener(TableReader& reader, const Settings& settings) {
  if (!settings.listen || is_loopback(settings.webhook_host) || !settings.api.enabled || !settings.api.rules.keys.empty()) return;
  reader.fail(*reader.any("webhook_host"), "webhook_host",
              "beyond this machine the API is served with tokens alone, and there is no key to check them with: give `key`, `key_file` or `jwks_file` in [api], "
              "or say `enabled = false` there where it is to take webhooks and no more");
}

}  // namespace hark
