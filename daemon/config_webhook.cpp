#include <algorithm>
#include <array>

#include "core/limits.h"
#include "daemon/config_mapping.h"
#include "platform/file_system.h"
#include "platform/listen_socket.h"

namespace hark {
namespace {

constexpr std::string_view kTokenSigns = "!#$%&'*+-.^_`|~";  // RFC 9110, 5.6.2

bool is_token(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kTokenSigns.find(c) != std::string_view::npos;
  });
}

// What the listener keeps for itself (the API, the dashboard, metrics, health).
bool is_reserved(const std::string& path) {
  constexpr std::array<std::string_view, 5> kOwn = {"/", "/api", "/metrics", "/healthz", "/readyz"};
  return std::find(kOwn.begin(), kOwn.end(), path) != kOwn.end() || path.starts_with("/api/");
}

std::string read_path(TableReader& reader) {
  const ConfigNode* node = reader.text("path");
  if (node == nullptr) {
    if (!reader.has("path")) reader.fail_table("needs `path`, such as \"/hooks/deploy\"");
    return "";
  }
  reader.show_text("path", *node);
  const std::string& path = node->text;
  const bool plain = std::all_of(path.begin(), path.end(), [](unsigned char c) {
    return c > 0x20 && c < 0x7f && std::string_view("?#%\"<>\\^`{|}").find(static_cast<char>(c)) == std::string_view::npos;
  });
  const bool dots = (path + '/').find("/./") != std::string::npos || (path + '/').find("/../") != std::string::npos;
  if (!path.starts_with('/') || !plain || dots || path.find("//") != std::string::npos) {
    reader.fail(*node, "path",
                "expected a path that begins with `/`, of letters, digits and -._~!$&'()*+,;=:@/, without `//`, `/./` and `/../`, found " + shown(*node));
  } else if (is_reserved(path)) {
    reader.fail(*node, "path", shown(*node) + " is hark's own; expected another path, such as \"/hooks/deploy\"");
  } else {
    return path;
  }
  return "";
}

std::string without_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

// The content of a secret's file; nullopt: reported.
std::optional<std::string> read_secret(TableReader& reader, const ConfigNode& node, std::string_view key,
                                       const std::filesystem::path& path) {
  RealFileSystem files;
  auto text = files.read(path, limits::kSecretFile);
  if (!text) {
    reader.fail(node, key, text.error().text());
    return std::nullopt;
  }
  if (!text->has_value()) {
    reader.fail(node, key, "no such file: " + path.string());
    return std::nullopt;
  }
  std::string secret = without_line_end(std::move(**text));
  if (secret.empty()) {
    reader.fail(node, key, "expected a secret in " + path.string() + ", found it empty");
    return std::nullopt;
  }
  std::error_code failure;
  const auto mode = std::filesystem::status(path, failure).permissions();
  if (!failure && (mode & std::filesystem::perms::others_read) != std::filesystem::perms::none) {
    reader.warn(node.place, key, path.string() + " can be read by everybody on this machine; chmod 600 keeps it secret");
  }
  return secret;
}

void read_credentials(TableReader& reader, const ConfigRequest& request, std::vector<std::string>& secrets) {
  const auto nodes = reader.texts("credential");
  if (reader.has("credential")) reader.show_texts("credential", nodes, reader.any("credential"));
  for (const ConfigNode* node : nodes) {
    const std::string& name = node->text;
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
      reader.fail(*node, "credential", "expected the name of a credential, found " + shown(*node));
      continue;
    }
    const auto folder = request.environment ? request.environment("CREDENTIALS_DIRECTORY") : std::nullopt;
    if (!folder || folder->empty()) {
      reader.fail(*node, "credential",
                  "CREDENTIALS_DIRECTORY is not set: hark was not started by a service manager with LoadCredential=");
      continue;
    }
    auto secret = read_secret(reader, *node, "credential", std::filesystem::path(*folder) / name);
    if (secret) secrets.push_back(std::move(*secret));
  }
}

std::vector<std::string> read_secrets(TableReader& reader, const ConfigRequest& request) {
  std::vector<std::string> secrets;
  const auto literal = reader.texts("secret");
  if (reader.has("secret")) {
    const ConfigNode* node = reader.any("secret");
    if (node->is(ConfigNode::Kind::string)) {
      reader.show_text("secret", *node);
    } else {
      reader.show_texts("secret", literal, node);
    }
  }
  for (const ConfigNode* node : literal) {
    if (node->text.empty()) {
      const std::string from = node->variables.empty() ? "" : " (${" + node->variables.front() + "} is empty)";
      reader.fail(*node, "secret", "expected a secret, found an empty string" + from);
    }
    secrets.push_back(node->text);
  }
  const auto files = reader.texts("secret_file");
  if (reader.has("secret_file")) reader.show_texts("secret_file", files, reader.any("secret_file"));
  for (const ConfigNode* node : files) {
    const auto path = reader.resolve(*node, "secret_file");
    if (!path) continue;
    auto secret = read_secret(reader, *node, "secret_file", *path);
    if (secret) secrets.push_back(std::move(*secret));
  }
  read_credentials(reader, request, secrets);
  return secrets;
}

void check_secrets(TableReader& reader, const MappingContext& context, const WebhookOptions& options) {
  bool any_named = false;
  for (const char* key : {"secret", "secret_file", "credential"}) {
    const ConfigNode* node = reader.any(key);
    if (node == nullptr) continue;
    any_named = true;
    if (options.unsigned_ok) reader.fail_key("unsigned", "contradicts `" + std::string(key) + "`; expected one of them");
    if (node->is(ConfigNode::Kind::array) && node->items.empty()) {
      reader.fail(*node, key, "expected at least one secret, found an empty array");
    }
  }
  if (!any_named && !options.unsigned_ok &&
      !(reader.any("unsigned") != nullptr && !reader.any("unsigned")->is(ConfigNode::Kind::boolean))) {
    reader.fail_table(
        "a webhook needs a secret: give `secret`, `secret_file` or `credential`, or say `unsigned = true` if anybody may call "
        "it");
  }
  if (options.unsigned_ok && !is_loopback(context.settings.webhook_host)) {
    reader.warn(reader.any("unsigned")->place, "unsigned",
                "anybody who reaches " + context.settings.webhook_host + " can trigger the handlers of this source");
  }
}

std::optional<Rate> read_rate_limit(TableReader& reader) {
  const ConfigNode* node = reader.text("rate_limit");
  if (node == nullptr) return std::nullopt;
  reader.show_text("rate_limit", *node);
  const auto rate = Rate::parse(node->text);
  if (rate) return *rate;
  reader.fail(*node, "rate_limit", rate.error().message);
  return std::nullopt;
}

}  // namespace

WebhookOptions read_webhook(TableReader& reader, const MappingContext& context) {
  WebhookOptions options;
  options.path = read_path(reader);
  options.provider = reader.choice("provider", {"generic", "github"}, "generic",
                                   {"gitlab", "gitea", "bitbucket", "stripe", "slack", "standard"});
  options.secrets = read_secrets(reader, context.request);
  options.unsigned_ok = reader.boolean("unsigned", false);
  check_secrets(reader, context, options);
  if (options.provider == "generic") {
    reader.warn_if_idle("signature_header", options.unsigned_ok, "`unsigned = true` looks at no signature");
    options.signature_header = reader.string("signature_header", options.signature_header);
    if (!options.signature_header.empty() && !is_token(options.signature_header)) {
      reader.fail(*reader.any("signature_header"), "signature_header", "expected the name of a header, such as \"X-Signature\"");
    }
  } else if (reader.any("signature_header") != nullptr) {
    reader.fail_key("signature_header", "is for `provider = \"generic\"`; " + options.provider + " has a header of its own");
  }
  options.max_body = static_cast<std::uint64_t>(
      reader.integer("max_body", static_cast<std::int64_t>(limits::kHttpBodyDefault), 1, limits::kHttpBodyMax));
  options.rate_limit = read_rate_limit(reader);
  options.host = context.settings.webhook_host;
  options.port = context.settings.webhook_port;
  return options;
}

}  // namespace hark
