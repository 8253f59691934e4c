// Secrets that stand in a file of their own.
#include <algorithm>
#include <filesystem>

#include "core/limits.h"
#include "daemon/config_mapping.h"
#include "platform/file_system.h"

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

}  // namespace hark
