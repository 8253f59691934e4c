// Secrets: those in a file of their own, and what is masked besides.
#include <algorithm>
#include <array>
#include <filesystem>

#include "core/limits.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"
#include "platform/file_system.h"
#include "platform/http.h"
#include "platform/http_url.h"
#include "platform/listen_socket.h"

namespace hark {
namespace {

std::string without_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace

std::optional<std::string> read_secret_file(TableReader& reader, const ConfigNode& node, std::string_view key, const std::filesystem::path& path) {
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
  reader.keep_secret(node, key, secret);
  return secret;
}

std::optional<std::filesystem::path> credential_path(TableReader& reader, const ConfigNode& node, const ConfigRequest& request) {
  const std::string& name = node.text;
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
    reader.fail(node, "credential", "expected the name of a credential, found " + shown(node));
    return std::nullopt;
  }
  const auto folder = request.environment ? request.environment("CREDENTIALS_DIRECTORY") : std::nullopt;
  if (folder && !folder->empty()) return std::filesystem::path(*folder) / name;
  reader.fail(node, "credential", "CREDENTIALS_DIRECTORY is not set: hark was not started by a service manager with LoadCredential=");
  return std::nullopt;
}

std::string read_token(TableReader& reader) {
  std::string token;
  const ConfigNode* from = nullptr;
  if (const ConfigNode* text = reader.text("token")) {
    reader.show_text("token", *text);
    token = text->text;
    reader.keep_secret(*text, "token", token);
    from = text;
    if (token.empty()) reader.fail(*text, "token", "expected a token, found it empty");
  }
  if (const ConfigNode* file = reader.text("token_file")) {
    reader.show_text("token_file", *file);
    from = file;
    if (!token.empty()) reader.fail(*file, "token_file", "says the same as `token`; expected one of them");
    if (const auto path = reader.resolve(*file, "token_file")) token = read_secret_file(reader, *file, "token_file", *path).value_or("");
  }
  const bool printable = std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!printable) reader.fail(*from, reader.has("token") ? "token" : "token_file", "expected a token of letters, digits and signs, without blanks and line ends");
  return token;
}

void read_secret_names(TableReader& reader, const ConfigRequest& request) {
  const auto names = reader.texts("secrets");
  if (!reader.has("secrets")) return;
  reader.show("secrets", masked_toml(*reader.any("secrets"), "secrets"), reader.any("secrets"));
  for (const ConfigNode* name : names) {
    if (!is_word(name->text, "")) {
      reader.fail(*name, "secrets", "expected the name of an environment variable, whose value is masked, found " + shown(*name));
      continue;
    }
    const auto value = request.environment ? request.environment(name->text) : std::nullopt;
    if (!value || value->empty()) reader.hint(name->place, "secrets", "the environment variable " + name->text + " is not set here: there is nothing to mask");
    reader.keep_secret(*name, "secrets", value.value_or(""));
  }
}

namespace {

// Free words of the configuration: a variable's, a header's, a JSON document's. By its name alone a value is no secret for sure.
bool may_be_secret(std::string_view name) {
  constexpr std::array<std::string_view, 2> kWords = {"key", "secrets"};  // of hark's own keys, which mean something else
  if (std::find(kWords.begin(), kWords.end(), name) != kWords.end()) return false;
  const auto says_where = [&](std::string_view end) { return name.size() >= end.size() && equal_ignoring_case(name.substr(name.size() - end.size()), end); };
  return is_secret_name(name) && !says_where("_file") && !says_where("_path") && !says_where("_dir");
}

class SecretFinder {
 public:
  SecretFinder(const ConfigRequest& request, ConfigReport& report) : request_(request), report_(report) {}

  void look(const ConfigNode& node, std::string_view key) {
    if (node.is(ConfigNode::Kind::string)) text(node, key);
    for (const ConfigNode& item : node.items) look(item, key);
    for (const ConfigEntry& entry : node.entries) look(entry.value, entry.key);
  }

 private:
  void text(const ConfigNode& node, std::string_view key) {
    for (const auto& variable : node.variables) {
      if (may_be_secret(variable) && request_.environment) guess(request_.environment(variable).value_or(""));
    }
    const auto password = password_of(node.text);
    if (!password.empty() && password.find_first_of("{$") == password.npos) report_.secret(std::string(password));
    const bool is_template = node.text.find('{') != node.text.npos;
    if (is_template || !may_be_secret(key)) return;
    guess(node.text);
    guess(node.text.substr(node.text.rfind(' ') + 1));  // behind "Bearer "
  }

  void guess(std::string value) {
    if (value.size() >= limits::kGuessedSecretLeast) report_.secret(std::move(value));
  }

  const ConfigRequest& request_;
  ConfigReport& report_;
};

}  // namespace

void find_secrets(const ConfigNode& root, const ConfigRequest& request, ConfigReport& report) { SecretFinder(request, report).look(root, ""); }

void refuse_open_secret(TableReader& reader, std::string_view key, const std::string& url) {
  const auto parts = parse_http_url(url);
  if (!parts || parts->tls || is_loopback(parts->host)) return;
  reader.fail_key(key, "would go over the network for everybody to read; expected an address that begins with https://");
}

void refuse_open_token(TableReader& reader, const std::string& token, const std::string& url) {
  if (!token.empty()) refuse_open_secret(reader, reader.has("token") ? "token" : "token_file", url);
}

}  // namespace hark
