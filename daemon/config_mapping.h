// From the tree to Settings, one part a file: config_top (here's the order), config_sources, config_git, config_webhook, config_secret, config_providers,
// config_handlers, config_containment, config_steps, config_git_tool, config_forge_tool, config_slack_tool, config_prompt, config_flow, config_policy, config_events, config_signals, config_api, config_hooks. Shared by those and config.cpp only. Everything wrong is reported; what is returned then is not to be used.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "daemon/config_expand.h"
#include "daemon/config_reader.h"
#include "daemon/settings.h"
#include "handlers/names.h"

namespace hark {

struct MappingContext {
  const ConfigRequest& request;
  std::filesystem::path base;              // what defaults are relative to
  std::vector<std::string> handler_names;  // as written, whether their tables are right or not
  Settings& settings;                      // what was read so far
  ConfigReport& report;
  std::vector<std::filesystem::path>& files;    // that were read
  std::vector<std::filesystem::path>& recipes;  // that are being read, the outermost first
};

// `files` gets those that the configuration names and that were read: recipes.
Settings map_settings(const ConfigNode& root, const ConfigFile& file, const ConfigRequest& request, ConfigReport& report, std::vector<std::filesystem::path>& files);

using SourceOptions = decltype(SourceSettings::options);

void read_sources(const std::vector<const ConfigNode*>& sources, MappingContext& context);
// The keys of one webhook source; host and port are the daemon's.
WebhookOptions read_webhook(TableReader& reader, const MappingContext& context);
SourceOptions read_git_push(TableReader& reader);
GitPrOptions read_git_pr(TableReader& reader, const MappingContext& context);
// What every source has that takes webhooks; `options.provider` is set.
void read_receiver(TableReader& reader, const MappingContext& context, ReceiverOptions& options);
// What a file holds, without its line end; nullopt: reported. Warns of one that everybody may read.
std::optional<std::string> read_secret_file(TableReader& reader, const ConfigNode& node, std::string_view key, const std::filesystem::path& path);
// `secrets`: names of environment variables whose values are masked.
void read_secret_names(TableReader& reader, const ConfigRequest& request);
// What the tree holds of secrets that no reader knows to be some: by the names of variables, headers and members, and passwords in URLs.
void find_secrets(const ConfigNode& root, const ConfigRequest& request, ConfigReport& report);
// `token` or `token_file`; empty: neither is there.
std::string read_token(TableReader& reader);
// Reports a secret under `key` that would go to `url` for everybody on the way to read.
void refuse_open_secret(TableReader& reader, std::string_view key, const std::string& url);
void refuse_open_token(TableReader& reader, const std::string& token, const std::string& url);  // of read_token()
// Whose name "credential" gives, in $CREDENTIALS_DIRECTORY; nullopt: reported.
std::optional<std::filesystem::path> credential_path(TableReader& reader, const ConfigNode& node, const ConfigRequest& request);
// Each a glob, "!" before it excludes; reported at the element that is wrong.
std::vector<std::string> read_globs(TableReader& reader, std::string_view key);
std::vector<IpNetwork> read_networks(TableReader& reader, std::string_view key);
// A template of the event alone: there is no run yet.
std::optional<Template> read_event_template(TableReader& reader, std::string_view key);
// What gathers, bounds and orders the events of a source: the same words for all of them. `debounce`: where the table says nothing.
void read_flow(TableReader& reader, Duration debounce, Rule& rule);
void read_handlers(const ConfigNode& handlers, MappingContext& context);
// What becomes of a handler's runs that fail, are cut off, or meet others.
void read_policy(TableReader& reader, const MappingContext& context, Handler& handler);
void read_retry(TableReader& outer, Retry& retry);
// What a handler's commands may have and reach. `working_directory`: the handler's.
void read_containment(TableReader& reader, const std::string& working_directory, Containment& containment);
// After the sources, which hooks may name.
void read_hooks(const std::vector<const ConfigNode*>& hooks, MappingContext& context);

// The steps of the list `key` of `outer`, whose limit of time theirs cannot pass; `known`: what comes before them, with which they are from then
// on.
// `heading`: of its table, as config show has it.
std::vector<StepOptions> read_step_list(TableReader& outer, const std::string& key, const std::string& heading, const MappingContext& context,
                                        std::optional<Duration> within, KnownNames& known);
void read_set(TableReader& reader, const KnownNames& known, StepOptions& step);
void read_publish(TableReader& reader, const MappingContext& context, const KnownNames& known, StepOptions& step);
void read_wait(TableReader& reader, const KnownNames& known, StepOptions& step);
TopicOptions read_topic(TableReader& reader);
void read_signals(const ConfigNode& signals, MappingContext& context);
void read_topics(const ConfigNode& topics, MappingContext& context);  // [topics.NAME]
void read_api(const ConfigNode& table, MappingContext& context);
void read_subscriptions(const ConfigNode& table, MappingContext& context);  // after read_api
void check_listener(TableReader& reader, const Settings& settings);         // after all of them: who listens beyond this machine has a key
void read_foreach(TableReader& reader, KnownNames& known, StepOptions& step);
void read_recipe(TableReader& reader, const MappingContext& context, const KnownNames& known, StepOptions& step);
// The names of its steps become known as its own.
void read_parallel(TableReader& reader, const std::string& heading, const MappingContext& context, KnownNames& known, StepOptions& step);
bool has_step_kind(const TableReader& reader);
void refuse_later_step_keys(TableReader& reader);
// A letter or `_`, then letters, digits, `_` and what is in `further`.
bool is_word(std::string_view text, std::string_view further);

// What one step does and its `if`, in a table of its own or in the handler's.
void read_step_kind(TableReader& reader, const MappingContext& context, const KnownNames& known, StepOptions& step);
// Of `run` or `command`: a string for the shell, or a list of a program and its arguments. The key is there.
void read_command(TableReader& reader, std::string_view key, const KnownNames& known, RunStepOptions& run);
// Empty: not there.
Template read_template(TableReader& reader, std::string_view key, const KnownNames& known);
// Of a text that has no templates: one in it would be taken as it stands.
void refuse_template(TableReader& reader, const ConfigNode& node, std::string_view key);
// The same as read_template(), of a path of the handler's folder (platform/confined_folder.h). nullopt: not there.
std::optional<Template> read_confined_path(TableReader& reader, std::string_view key, const KnownNames& known);
// One entry of a table of headers; nullptr: reported.
const ConfigNode* read_header(TableReader& headers, const ConfigEntry& entry);
// A value as JSON; its strings are no templates.
nlohmann::json read_json(TableReader& reader, std::string_view key, const ConfigNode& node, const KnownNames* known = nullptr);

void read_providers(const ConfigNode& providers, MappingContext& context);
// `model`, `temperature`, `max_tokens`: of a provider, and of a step that says otherwise.
void read_model(TableReader& reader, ProviderOptions& provider);
// Keys beside `prompt`. The step's retries and timeout become its provider's.
inline constexpr std::array kPromptKeys = {"provider", "system", "model", "temperature", "max_tokens", "json_schema"};
void read_prompt(TableReader& reader, const MappingContext& context, const KnownNames& known, StepOptions& step);
// What stands beside tool = "git", "forge" and "slack"; and where that is not there, what their keys mean.
void read_git_tool(TableReader& reader, const KnownNames& known, StepOptions& step);
void read_forge_tool(TableReader& reader, const KnownNames& known, StepOptions& step);
void read_slack_tool(TableReader& reader, const KnownNames& known, StepOptions& step);
void refuse_git_keys(TableReader& reader);
void refuse_forge_keys(TableReader& reader);
void refuse_slack_keys(TableReader& reader);
void warn_of_unclosed(TableReader& reader, const ConfigNode& at, std::string_view key, const Template& text);
// Reports every name in `text` that no template of a handler may use.
void check_template(TableReader& reader, const ConfigNode& at, std::string_view key, const Template& text,
                    const KnownNames& known);

}  // namespace hark
