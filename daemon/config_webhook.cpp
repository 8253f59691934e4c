#include <algorithm>
#include <array>

#include "core/limits.h"
#include "daemon/config_mapping.h"
#include "platform/file_system.h"
#include "platform/http.h"
#include "platform/listen_socket.h"
#include "sources/webhook_provider.h"

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

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

// What is wrong with a path, empty: nothing. Its first segment is plain, so that no path is hark's own by chance.
std::string wrong_with_path(const std::string& path) {
  if (!path.starts_with('/') || path.find("//") != std::string::npos) return "a path that begins with `/` and is without `//`";
  std::vector<std::string> names;
  for (std::size_t at = 1; at <= path.size();) {
    const auto end = std::min(path.find('/', at), path.size());
    const auto segment = std::string_view(path).substr(at, end - at);
    if (segment.starts_with('{') || segment.ends_with('}')) {
      const auto name = segment.size() > 2 ? segment.substr(1, segment.size() - 2) : std::string_view();
      if (!segment.starts_with('{') || !segment.ends_with('}') || !is_name(name)) return "a name of letters, digits, _ and - between the braces, such as \"/hooks/{team}\"";
      if (at == 1) return "a plain first segment, such as \"/hooks/{team}\"";
      if (std::find(names.begin(), names.end(), name) != names.end()) return "another name for the second {" + std::string(name) + "}";
      names.emplace_back(name);
    } else {
      const bool plain = std::all_of(segment.begin(), segment.end(), [](unsigned char c) {
        return c > 0x20 && c < 0x7f && std::string_view("?#%\"<>\\^`{|}").find(static_cast<char>(c)) == std::string_view::npos;
      });
      if (!plain || segment == "." || segment == "..") return "a path of letters, digits and -._~!$&'()*+,;=:@/, without `/./` and `/../`";
    }
    at = end + 1;
  }
  return {};
}

std::string read_path(TableReader& reader) {
  const ConfigNode* node = reader.text("path");
  if (node == nullptr) {
    if (!reader.has("path")) reader.fail_table("needs `path`, such as \"/hooks/deploy\"");
    return "";
  }
  reader.show_text("path", *node);
  if (const auto wanted = wrong_with_path(node->text); !wanted.empty()) {
    reader.fail(*node, "path", "expected " + wanted + ", found " + shown(*node));
  } else if (is_reserved(node->text)) {
    reader.fail(*node, "path", shown(*node) + " is hark's own; expected another path, such as \"/hooks/deploy\"");
  } else {
    return node->text;
  }
  return "";
}

// Names of what is kept beside the data.
std::vector<std::string> read_kept(TableReader& reader, const std::string& key) {
  std::vector<std::string> names;
  const auto nodes = reader.texts(key);
  if (reader.has(key)) reader.show_texts(key, nodes, reader.any(key));
  for (const ConfigNode* node : nodes) {
    if (node->text.empty() || (key == "headers" && !is_token(node->text))) {
      reader.fail(*node, key, "expected the name of a " + std::string(key == "headers" ? "header" : "field") + ", found " + shown(*node));
    }
    names.push_back(node->text);
  }
  return names;
}

// What proves who sent it is not kept where every handler reads it.
void check_kept_headers(TableReader& reader, const WebhookOptions& options) {
  std::vector<std::string> secret = {"Authorization", "Proxy-Authorization", "Cookie"};
  if (options.scheme.kind == SignatureScheme::Kind::token) secret.insert(secret.end(), options.scheme.headers.begin(), options.scheme.headers.end());
  for (const ConfigNode* node : reader.texts("headers")) {
    for (const auto& name : secret) {
      if (equal_ignoring_case(name, node->text)) reader.fail(*node, "headers", shown(*node) + " holds a secret, which an event is not to carry");
    }
  }
}

// The secret of a file; nullopt: reported.
std::optional<std::string> read_secret(TableReader& reader, const ConfigNode& node, std::string_view key,
                                       const std::filesystem::path& path, const SignatureScheme& scheme) {
  auto secret = read_secret_file(reader, node, key, path);
  if (!secret) return std::nullopt;
  if (const auto usable = check_secret(scheme, *secret); !usable) {
    reader.fail(node, key, usable.error().message + " in " + path.string());
    return std::nullopt;
  }
  return secret;
}

void read_credentials(TableReader& reader, const ConfigRequest& request, const SignatureScheme& scheme, std::vector<std::string>& secrets) {
  const auto nodes = reader.texts("credential");
  if (reader.has("credential")) reader.show_texts("credential", nodes, reader.any("credential"));
  for (const ConfigNode* node : nodes) {
    const auto path = credential_path(reader, *node, request);
    if (!path) continue;
    auto secret = read_secret(reader, *node, "credential", *path, scheme);
    if (secret) secrets.push_back(std::move(*secret));
  }
}

std::vector<std::string> read_secrets(TableReader& reader, const ConfigRequest& request, const SignatureScheme& scheme) {
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
    const std::string from = node->variables.empty() ? "" : " (from ${" + node->variables.front() + "})";
    if (const auto usable = check_secret(scheme, node->text); !usable) reader.fail(*node, "secret", usable.error().message + from);
    secrets.push_back(node->text);
    reader.keep_secret(*node, "secret", node->text);
  }
  const auto files = reader.texts("secret_file");
  if (reader.has("secret_file")) reader.show_texts("secret_file", files, reader.any("secret_file"));
  for (const ConfigNode* node : files) {
    const auto path = reader.resolve(*node, "secret_file");
    if (!path) continue;
    auto secret = read_secret(reader, *node, "secret_file", *path, scheme);
    if (secret) secrets.push_back(std::move(*secret));
  }
  read_credentials(reader, request, scheme, secrets);
  return secrets;
}

void check_secrets(TableReader& reader, const MappingContext& context, const ReceiverOptions& options) {
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

// How a sender of one's own signs; the providers' ways are known.
void read_scheme(TableReader& reader, ReceiverOptions& options) {
  auto& scheme = options.scheme;
  if (options.provider == "generic") {
    for (const char* key : {"signature_header", "signature_algorithm", "signature_encoding", "signature_prefix"}) {
      reader.warn_if_idle(key, options.unsigned_ok, "`unsigned = true` looks at no signature");
    }
    scheme.headers = {reader.string("signature_header", scheme.headers.front())};
    if (!scheme.headers.front().empty() && !is_token(scheme.headers.front())) {
      reader.fail(*reader.any("signature_header"), "signature_header", "expected the name of a header, such as \"X-Signature\"");
    }
    const auto algorithm = reader.choice("signature_algorithm", {"sha256", "sha1", "sha512"}, "sha256");
    scheme.hash = algorithm == "sha1" ? Hash::sha1 : algorithm == "sha512" ? Hash::sha512 : Hash::sha256;
    const auto encoding = reader.choice("signature_encoding", {"hex", "base64"}, "hex");
    scheme.encoding = encoding == "base64" ? SignatureScheme::Encoding::base64 : SignatureScheme::Encoding::hex;
    scheme.prefix = algorithm + "=";
    if (const ConfigNode* prefix = reader.text("signature_prefix")) {
      reader.show_text("signature_prefix", *prefix);
      scheme.prefix = prefix->text;
    } else {
      reader.show("signature_prefix", toml_string(scheme.prefix), nullptr);
    }
  } else {
    for (const char* key : {"signature_header", "signature_algorithm", "signature_encoding", "signature_prefix"}) {
      if (reader.any(key) != nullptr) reader.fail_key(key, "is for `provider = \"generic\"`; how " + options.provider + " signs is known");
    }
  }
  const bool timed = scheme.signs_time() || scheme.kind == SignatureScheme::Kind::token;
  if (timed) {
    reader.warn_if_idle("tolerance", options.unsigned_ok, "`unsigned = true` looks at no signature");
    scheme.tolerance = reader.duration("tolerance", "5m", std::chrono::seconds(1));
  } else if (reader.any("tolerance") != nullptr) {
    reader.fail_key("tolerance", "is for senders that sign the time, which " + options.provider + " does not");
  }
}

WebhookResponse read_response(TableReader& outer) {
  WebhookResponse response;
  response.result = outer.choice("respond", {"accepted", "result"}, "accepted") == "result";
  if (response.result) {
    response.deadline = outer.duration("respond_timeout", "10s", std::chrono::milliseconds(1));
  } else {
    outer.allow("respond_timeout");
    outer.warn_if_idle("respond_timeout", true, "`respond = \"accepted\"` waits for nothing");
  }
  const ConfigNode* table = outer.table("response");
  if (table == nullptr) return response;
  auto reader = outer.within(*table, "response");
  response.status = static_cast<int>(reader.integer("status", response.status, 200, 299));
  response.body = read_event_template(reader, "body");
  response.content_type = reader.string("content_type", response.content_type);
  const bool printable = std::all_of(response.content_type.begin(), response.content_type.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (!printable) reader.fail(*reader.any("content_type"), "content_type", "expected a media type, such as \"application/json\"");
  reader.finish();
  return response;
}

}  // namespace

std::vector<IpNetwork> read_networks(TableReader& reader, std::string_view key) {
  std::vector<IpNetwork> networks;
  const auto nodes = reader.texts(key);
  if (reader.has(key)) reader.show_texts(key, nodes, reader.any(key));
  for (const ConfigNode* node : nodes) {
    if (auto network = IpNetwork::parse(node->text)) {
      networks.push_back(std::move(*network));
    } else {
      reader.fail(*node, key, "expected a network or an address, such as \"10.0.0.0/8\", \"2001:db8::/32\" or \"127.0.0.1\", with nothing set behind its prefix, found " + shown(*node));
    }
  }
  return networks;
}

void read_receiver(TableReader& reader, const MappingContext& context, ReceiverOptions& options) {
  options.path = read_path(reader);
  options.scheme = webhook_provider(options.provider)->scheme;
  options.unsigned_ok = reader.boolean("unsigned", false);
  read_scheme(reader, options);
  options.secrets = read_secrets(reader, context.request, options.scheme);
  check_secrets(reader, context, options);
  options.allow = read_networks(reader, "allow");
  if (reader.has("allow") && options.allow.empty() && reader.texts("allow").empty()) reader.fail_key("allow", "expected at least one network, found none: nobody could send");
  options.trusted_proxies = context.settings.trusted_proxies;
  options.max_body = static_cast<std::uint64_t>(
      reader.integer("max_body", static_cast<std::int64_t>(limits::kHttpBodyDefault), 1, limits::kHttpBodyMax));
  options.rate_limit = read_rate_limit(reader);
  options.host = context.settings.webhook_host;
  options.port = context.settings.webhook_port;
}

WebhookOptions read_webhook(TableReader& reader, const MappingContext& context) {
  WebhookOptions options;
  std::vector<std::string> providers;
  for (const auto& each : webhook_providers()) providers.push_back(each.name);
  options.provider = reader.choice("provider", providers, providers.front());
  read_receiver(reader, context, options);
  const auto body = reader.choice("body", {"auto", "json", "form", "text"}, "auto");
  options.body = body == "json" ? WebhookBody::json : body == "form" ? WebhookBody::form : body == "text" ? WebhookBody::text : WebhookBody::by_type;
  options.headers = read_kept(reader, "headers");
  options.query = read_kept(reader, "query");
  check_kept_headers(reader, options);
  options.response = read_response(reader);
  return options;
}

}  // namespace hark
