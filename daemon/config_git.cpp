// Sources of git: repositories here, and those that are asked over the network.
#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "core/limits.h"
#include "core/printable.h"
#include "daemon/config_mapping.h"
#include "platform/http_url.h"
#include "sources/libgit2.h"
#include "sources/repository_pattern.h"

namespace hark {
namespace {

using namespace std::chrono_literals;

// Names of branches, or of tags: `what` with an example of one.
std::vector<std::string> read_names(TableReader& reader, const std::string& key, const std::string& what) {
  for (const ConfigNode* node : reader.texts(key)) {
    if (node->text.starts_with("refs/")) reader.fail(*node, key, "expected " + what + ", found " + shown(*node));
    if (node->text.starts_with('!')) reader.fail(*node, key, "a `!` is not known here; where = \"!payload." + std::string(key == "tags" ? "tag" : "branch") + ":" + node->text.substr(1) + "\" leaves it out");
  }
  const ConfigNode* list = reader.any(key);
  if (list != nullptr && list->is(ConfigNode::Kind::array) && list->items.empty()) reader.fail(*list, key, "expected " + what + ", found an empty array; \"*\" is all of them");
  return read_globs(reader, key);
}

// Who names only one of the two wants that one; who names none, all branches.
WantedRefs read_wanted(TableReader& reader) {
  WantedRefs wanted;
  const auto branches = read_names(reader, "branches", "a branch's name, such as \"main\" or \"release/*\"");
  const auto tags = read_names(reader, "tags", "a tag's name, such as \"v1.0\" or \"v*\"");
  if (reader.has("tags")) {
    wanted.tags = tags;
    wanted.branches.reset();
  }
  if (reader.has("branches")) wanted.branches = branches;
  return wanted;
}

constexpr std::array kForRemotes = {"interval", "username", "token", "token_file", "ssh_key"};

void read_local(TableReader& reader, const ConfigNode& repository, GitRefsOptions& options) {
  options.repository = reader.resolve(repository, "repository").value_or(std::filesystem::path());
  std::error_code failure;
  if (!options.repository.empty() && !std::filesystem::exists(options.repository, failure)) {
    reader.warn(repository.place, "repository", shown(repository) + " does not exist yet");
  } else if (!options.repository.empty()) {
    prepare_libgit2();
    if (const auto opened = GitRepository::open(options.repository); !opened) reader.warn(repository.place, "repository", opened.error().text());
  }
  for (const char* key : kForRemotes) {
    reader.allow(key);
    reader.warn_if_idle(key, true, "a repository on this machine is watched and not asked");
  }
}

// What stands between "://" and "@"; empty: nothing.
std::string_view user_of(std::string_view url) {
  const auto begin = url.find("://");
  if (begin == url.npos) return {};
  const auto host = url.substr(begin + 3, url.find('/', begin + 3) - begin - 3);
  return host.substr(0, host.rfind('@') == host.npos ? 0 : host.rfind('@'));
}

// What was expected of an address, as far as it can be seen without asking; empty: nothing is wrong.
std::string wrong_with_url(const std::string& url) {
  const auto begin = url.find("://");
  const auto scheme = url.substr(0, begin);
  constexpr std::array<std::string_view, 5> kSchemes = {"https", "http", "ssh", "git", "file"};
  // "ext::COMMAND" is how git names programs that it would run.
  if (begin == url.npos ? url.find("::") != url.npos : std::find(kSchemes.begin(), kSchemes.end(), scheme) == kSchemes.end()) {
    return "a path, or an address that begins with https://, ssh://, git://, http:// or file://, or is USER@HOST:PATH";
  }
  const auto user = user_of(url);
  if (user.find(':') != user.npos || (scheme.starts_with("http") && !user.empty())) {
    return "an address without a user or password, which belong into `username` and `token`: they would be shown with every event";
  }
  if (begin == url.npos) {
    const auto colon = url.find(':');
    const auto at = url.rfind('@', colon);
    const bool whole = colon > (at == url.npos ? 0 : at + 1) && at != 0 && colon + 1 < url.size();
    return whole ? "" : "an address like USER@HOST:PATH";
  }
  if (scheme == "file") return url.starts_with("file:///") ? "" : "an address like file:///PATH, whose path is absolute";
  const auto rest = url.substr(begin + 3 + (user.empty() ? 0 : user.size() + 1));
  const auto parts = parse_http_url("http://" + rest);
  if (!parts) return "an address like " + scheme + "://HOST/PATH: " + parts.error().message;
  if (parts->target == "/") return "an address like " + scheme + "://HOST/PATH, found no path of a repository in " + toml_string(url);
  return {};
}

GitRemoteOptions read_remote(TableReader& reader, const ConfigNode& repository) {
  GitRemoteOptions options;
  options.url = repository.text;
  if (const auto wanted = wrong_with_url(options.url); !wanted.empty()) reader.fail(repository, "repository", "expected " + wanted);
  options.interval = reader.duration("interval", "1m", limits::kGitRemoteIntervalLeast);
  const bool web = options.url.starts_with("http");
  const bool shell = options.url.starts_with("ssh://") || options.url.find("://") == std::string::npos;
  const auto why = [&](const std::string& who) { return "it is for " + who + ", and " + shown(repository) + " is none"; };
  for (const char* key : {"token", "token_file"}) reader.warn_if_idle(key, !web, why("https"));
  reader.warn_if_idle("username", !web && !shell, why("https and ssh"));
  reader.warn_if_idle("ssh_key", !shell, why("ssh"));
  options.credentials.username = reader.string("username", "");
  options.credentials.token = read_token(reader);
  reader.warn_if_idle("username", web && !reader.has("token") && !reader.has("token_file"), "there is neither `token` nor `token_file`");
  refuse_open_token(reader, options.credentials.token, options.url);
  if (const ConfigNode* key = reader.text("ssh_key")) {
    reader.show_text("ssh_key", *key);
    options.credentials.ssh_key = reader.resolve(*key, "ssh_key").value_or(std::filesystem::path()).string();
    std::error_code failure;
    if (!std::filesystem::exists(options.credentials.ssh_key, failure)) reader.warn(key->place, "ssh_key", shown(*key) + " does not exist yet");
  }
  return options;
}

// A name with signs of glob(7), which is none of a folder as it stands.
bool is_pattern(TableReader& reader, const ConfigNode& repository) {
  if (!is_repository_pattern(repository.text)) return false;
  const auto path = reader.resolve(repository, "repository");
  std::error_code failure;
  return path && !std::filesystem::exists(*path, failure);
}

GitFleetOptions read_fleet(TableReader& reader, const ConfigNode& repository) {
  GitFleetOptions options;
  const std::filesystem::path text(repository.text);
  const std::filesystem::path base = text.is_relative() ? as_pattern(repository.place.file->base) : std::string();
  options.pattern = (base / text).lexically_normal().string();
  if (repository.text.find("**") != std::string::npos) {
    reader.fail(repository, "repository", "a `**` is not known here; name the folders between: \"/srv/git/*/*.git\"");
  } else if (const auto named = named_repositories(options.pattern); !named) {
    reader.warn(repository.place, "repository", named.error().text());
  } else if (named->paths.empty()) {
    reader.warn(repository.place, "repository", shown(repository) + " names no repository yet");
  }
  options.interval = reader.duration("interval", "10s", limits::kGitRemoteIntervalLeast);
  for (const char* key : kForRemotes) {
    reader.allow(key);
    reader.warn_if_idle(key, std::string_view(key) != "interval", "repositories on this machine are watched and not asked");
  }
  return options;
}

constexpr std::array kForWebhooks = {"secret", "secret_file", "credential", "unsigned", "tolerance", "allow", "max_body", "rate_limit"};
constexpr std::array kForPolling = {"interval", "token", "token_file", "api"};

std::set<std::string> read_actions(TableReader& reader) {
  std::vector<std::string> known(kPullRequestActions.begin(), kPullRequestActions.end());
  const auto list = enumerated(known, "or");
  std::set<std::string> events;
  const auto nodes = reader.texts("events");
  if (!reader.has("events")) {
    reader.show("events", "[]", nullptr);
    return events;
  }
  reader.show_texts("events", nodes, reader.any("events"));
  if (reader.any("events")->is(ConfigNode::Kind::array) && reader.any("events")->items.empty()) reader.fail(*reader.any("events"), "events", "expected at least one of " + list);
  for (const ConfigNode* node : nodes) {
    if (std::find(known.begin(), known.end(), node->text) == known.end()) reader.fail(*node, "events", "expected an action, found " + shown(*node) + suggestion(node->text, known));
    events.insert(node->text);
  }
  return events;
}

ForgePolling read_polling(TableReader& reader, const ConfigNode& repository, Forge forge) {
  ForgePolling polling;
  reader.show_text("repository", repository);
  const auto base = reader.string("api", "");
  if (const auto fine = base.empty() ? Status() : check_api_address(base); !fine) {
    reader.fail(*reader.any("api"), "api", fine.error().text());
    return polling;
  }
  const auto api = forge_api(forge, repository.text, base);
  if (api) {
    polling.api = *api;
  } else {
    reader.fail(repository, "repository", api.error().text());
  }
  polling.interval = reader.duration("interval", "1m", limits::kForgeIntervalLeast);
  polling.token = read_token(reader);
  refuse_open_token(reader, polling.token, polling.api.base);
  return polling;
}

}  // namespace

GitPrOptions read_git_pr(TableReader& reader, const MappingContext& context) {
  GitPrOptions options;
  const auto provider = reader.choice("provider", {"github", "gitlab", "gitea", "bitbucket"}, "github");
  options.forge = forge_named(provider).value_or(Forge::github);
  options.events = read_actions(reader);
  if (reader.has("path")) {
    options.webhook.emplace();
    options.webhook->provider = to_string(options.forge);
    read_receiver(reader, context, *options.webhook);
  } else {
    for (const char* key : kForWebhooks) {
      reader.allow(key);
      reader.warn_if_idle(key, true, "there is no `path` that a webhook could come to");
    }
  }
  if (const ConfigNode* repository = reader.text("repository")) {
    options.polling = read_polling(reader, *repository, options.forge);
  } else {
    for (const char* key : kForPolling) {
      reader.allow(key);
      reader.warn_if_idle(key, true, "there is no `repository` that could be asked for");
    }
  }
  if (!reader.has("path") && !reader.has("repository")) reader.fail_table("needs `path`, where a webhook comes in, or `repository`, whose forge is asked, or both");
  return options;
}

SourceOptions read_git_push(TableReader& reader) {
  const auto wanted = read_wanted(reader);
  const ConfigNode* repository = reader.text("repository");
  if (repository == nullptr) {
    if (!reader.has("repository")) reader.fail_table("needs `repository`, the path of a local repository or the address of a remote one");
    for (const char* key : kForRemotes) reader.allow(key);
    return GitRefsOptions{};
  }
  reader.show_text("repository", *repository);
  if (is_remote(repository->text)) {
    auto options = read_remote(reader, *repository);
    options.wanted = wanted;
    return options;
  }
  if (is_pattern(reader, *repository)) {
    auto options = read_fleet(reader, *repository);
    options.wanted = wanted;
    return options;
  }
  GitRefsOptions options;
  options.wanted = wanted;
  read_local(reader, *repository, options);
  return options;
}

}  // namespace hark
