#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/cron.h"
#include "core/glob.h"
#include "core/limits.h"
#include "core/printable.h"
#include "daemon/config_mapping.h"
#include "daemon/places.h"
#include "platform/zoneinfo.h"

namespace hark {
namespace {

using namespace std::chrono_literals;

// A person saving a file, a tool writing several: what belongs together arrives within this.
constexpr Duration kFileChangeDebounce = 200ms;
// Gathering in the watcher hides the kernel's splitting of one burst; the debounce does the rest.
constexpr Duration kLongestGather = 50ms;

// What hark itself writes must not wake it.
std::vector<std::filesystem::path> not_watched(const Settings& settings) {
  auto files = redirected_output();  // hark daemon > hark.log
  for (const auto& own : own_files(settings)) {
    if (!own.key.empty()) files.insert(files.end(), own.files.begin(), own.files.end());  // a changed configuration may be an event
  }
  for (const auto& file : {settings.journal_file, settings.state_file}) {
    const auto folder = file.parent_path();
    if (folder.filename() == ".hark" && std::find(files.begin(), files.end(), folder) == files.end()) files.push_back(folder);
  }
  return files;
}

FileWatcherOptions read_file_change(TableReader& reader, const MappingContext& context) {
  FileWatcherOptions options;
  if (const ConfigNode* path = reader.text("path")) {
    reader.show_text("path", *path);
    options.path = reader.resolve(*path, "path").value_or(std::filesystem::path());
    std::error_code failure;
    if (!options.path.empty() && !std::filesystem::exists(options.path, failure)) {
      reader.warn(path->place, "path", shown(*path) + " does not exist yet");
    }
  } else if (!reader.has("path")) {
    reader.fail_table("needs `path`, the folder or file to watch");
  }
  options.patterns = read_globs(reader, "pattern");
  for (const ConfigNode* node : reader.texts("pattern")) {
    const auto pattern = std::string_view(node->text).substr(node->text.starts_with('!') ? 1 : 0);
    if (pattern.starts_with('/')) reader.fail(*node, "pattern", "is relative to `path` and does not begin with a `/`");
    const bool is_list = pattern.find(',') != pattern.npos && pattern.find('{') == pattern.npos;
    if (is_list) reader.warn(node->place, "pattern", "the comma in " + shown(*node) + " is a part of the name; several patterns are a list: [\"*.c\", \"*.h\"]");
  }

  const std::vector<std::string> kinds = {"create", "modify", "delete", "rename"};
  const auto events = reader.texts("events");
  if (reader.has("events")) {
    reader.show_texts("events", events, reader.any("events"));
    options.events.clear();
    if (const ConfigNode* node = reader.any("events"); node->is(ConfigNode::Kind::array) && node->items.empty()) {
      reader.fail(*node, "events", "expected at least one of create, modify, delete, rename");
    }
  } else {
    reader.show("events", R"(["create", "modify", "delete", "rename"])", nullptr);
  }
  for (const ConfigNode* event : events) {
    if (std::find(kinds.begin(), kinds.end(), event->text) == kinds.end()) {
      reader.fail(*event, "events",
                  "expected create, modify, delete or rename, found " + shown(*event) + suggestion(event->text, kinds));
    }
    options.events.insert(event->text);
  }
  options.ignore_vcs = reader.boolean("ignore_vcs", true);
  const auto settle = reader.choice("settle", {"write", "stable"}, "write");
  reader.warn_if_idle("stable_for", settle != "stable", "it says how long a file has to stand still for `settle = \"stable\"`");
  const auto stable_for = reader.duration("stable_for", "1s", limits::kStableForLeast);
  if (settle == "stable") options.still_for = stable_for;
  options.catch_up = reader.boolean("catch_up", false);
  using Backend = FileWatcherOptions::Backend;
  const auto backend = reader.choice("backend", {"auto", "inotify", "fanotify", "poll"}, "auto");
  if (backend == "inotify") options.backend = Backend::inotify;
  if (backend == "fanotify") options.backend = Backend::fanotify;
  if (backend == "poll") options.backend = Backend::poll;
  options.poll_interval = reader.duration("poll_interval", limits::kPollIntervalLeast);
  options.ignore = not_watched(context.settings);
  return options;
}

void read_cron(TableReader& reader, ScheduleOptions& options) {
  const ConfigNode* cron = reader.text("cron");
  if (cron == nullptr) {
    if (!reader.has("cron")) reader.fail_table("needs `cron`, such as \"0 9 * * MON\" or \"@daily\"");
    return;
  }
  reader.show_text("cron", *cron);
  options.cron = cron->text;
  const auto parsed = Cron::parse(cron->text);
  if (!parsed) {
    reader.fail(*cron, "cron", parsed.error().text());
    return;
  }
  // Which day the search begins does not matter: it looks over all leap years' distance. A fixed one keeps this free of clocks.
  constexpr WallTime kAnyDay = std::chrono::sys_days(std::chrono::year(2025) / 1 / 1);
  if (!parsed->at_boot() && !parsed->next(kAnyDay, TimeZone::utc())) reader.fail(*cron, "cron", shown(*cron) + " never fires");
}

ScheduleOptions read_schedule(TableReader& reader) {
  ScheduleOptions options;
  read_cron(reader, options);
  if (const ConfigNode* zone = reader.text("timezone")) {
    reader.show_text("timezone", *zone);
    if (zone->text != "local") {
      options.timezone = zone->text;
      if (const auto found = find_zone(zone->text); !found) reader.fail(*zone, "timezone", found.error().text());
    }
  } else if (!reader.has("timezone")) {
    reader.show("timezone", "\"local\"", nullptr);
  }
  options.dst = dst_rule(reader.choice("dst", {"cron", "skip", "all"}, "cron"));
  options.jitter = reader.duration("jitter", "0s", Duration::zero());
  const std::string catch_up = reader.choice("catch_up", {"none", "one", "all"}, "none");
  if (catch_up == "one") options.catch_up = ScheduleOptions::CatchUp::one;
  if (catch_up == "all") options.catch_up = ScheduleOptions::CatchUp::all;
  reader.warn_if_idle("catch_up_limit", catch_up != "all", "it bounds `catch_up = \"all\"`");
  options.catch_up_limit = static_cast<int>(reader.integer("catch_up_limit", 100, 1, limits::kCatchUpSlots));
  return options;
}

void read_rule_handlers(TableReader& reader, const MappingContext& context, bool needed, Rule& rule) {
  const bool both = reader.has("handler") && reader.has("handlers");
  std::vector<const ConfigNode*> names;
  if (const ConfigNode* one = reader.text("handler")) {
    names.push_back(one);
    reader.show_text("handler", *one);
  }
  const auto many = reader.texts("handlers");
  if (reader.has("handlers")) reader.show_texts("handlers", many, reader.any("handlers"));
  names.insert(names.end(), many.begin(), many.end());
  if (both) {
    reader.fail_key("handlers", "says the same as `handler`; expected one of them");
    return;
  }
  const char* key = reader.has("handler") ? "handler" : "handlers";
  for (const ConfigNode* name : names) {
    if (std::find(rule.handlers.begin(), rule.handlers.end(), name->text) != rule.handlers.end()) {
      reader.fail(*name, key, "names " + shown(*name) + " twice");
    } else if (std::find(context.handler_names.begin(), context.handler_names.end(), name->text) == context.handler_names.end()) {
      reader.fail(*name, key, "there is no handler " + shown(*name) + suggestion(name->text, context.handler_names));
    }
    rule.handlers.push_back(name->text);
  }
  const ConfigNode* list = reader.any("handlers");
  if (list != nullptr && list->is(ConfigNode::Kind::array) && list->items.empty()) {
    reader.fail(*list, "handlers", "expected at least one handler, found an empty array");
  } else if (needed && list == nullptr && !reader.has("handler")) {
    reader.fail_table("needs `handler`, the name of what is to run");
  }
}

void read_rule(TableReader& reader, const MappingContext& context, SourceSettings& source) {
  Rule& rule = source.rule;
  rule.source = source.name;
  read_rule_handlers(reader, context, source.type != "manual", rule);
  if (const ConfigNode* where = reader.text("where")) {
    reader.show_text("where", *where);
    auto filter = Filter::parse(where->text);
    if (!filter) {
      reader.fail(*where, "where", "not a filter: " + filter.error().text());
    } else if (const Status fields = check_event_fields(*filter); !fields) {
      reader.fail(*where, "where", fields.error().text());
    } else {
      rule.where = std::move(*filter);
    }
  }
  read_flow(reader, source.type == "file_change" ? kFileChangeDebounce : Duration::zero(), rule);
  reader.warn_if_idle("dedupe_window", source.type == "file_change" && !rule.dedupe_key, "changes of files have no key of their own, give `dedupe_key`");
}

struct SourceType {
  std::string_view name;
  std::vector<std::string_view> keys;  // its own: one in a source of another type is told where it belongs
  SourceOptions (*read)(TableReader&, const MappingContext&);
};
// The types of sources, a row each: the one place of the configuration that knows them all.
const std::array kTypes = {
    SourceType{"file_change", {"path", "pattern", "events", "ignore_vcs", "settle", "stable_for", "catch_up", "backend", "poll_interval"},
               [](auto& reader, auto& context) -> SourceOptions { return read_file_change(reader, context); }},
    SourceType{"git_push", {"repository", "branches", "tags", "interval", "username", "token", "token_file", "ssh_key"},
               [](auto& reader, auto&) -> SourceOptions { return read_git_push(reader); }},
    SourceType{"git_pr", {"provider", "events", "path", "secret", "secret_file", "credential", "unsigned", "tolerance", "allow", "max_body", "rate_limit", "repository", "interval", "token", "token_file", "api"},
               [](auto& reader, auto& context) -> SourceOptions { return read_git_pr(reader, context); }},
    SourceType{"webhook", {"path", "provider", "secret", "secret_file", "credential", "unsigned", "signature_header", "signature_algorithm", "signature_encoding", "signature_prefix", "tolerance", "allow", "headers", "query", "body", "respond", "respond_timeout", "response", "max_body", "rate_limit"},
               [](auto& reader, auto& context) -> SourceOptions { return read_webhook(reader, context); }},
    SourceType{"schedule", {"cron", "timezone", "dst", "jitter", "catch_up", "catch_up_limit"},
               [](auto& reader, auto&) -> SourceOptions { return read_schedule(reader); }},
    SourceType{"topic", {"topic", "events"}, [](auto& reader, auto&) -> SourceOptions { return read_topic(reader); }},
    SourceType{"manual", {}, [](auto&, auto&) -> SourceOptions { return ManualOptions{}; }},
};

const SourceType* find_type(std::string_view name) {
  const auto* found = std::find_if(kTypes.begin(), kTypes.end(), [&](const SourceType& type) { return type.name == name; });
  return found == kTypes.end() ? nullptr : found;
}

class SourceReader {
 public:
  explicit SourceReader(MappingContext& context) : context_(context) {}

  void read(const ConfigNode& table, std::size_t index) {
    TableReader reader(table, item_path("sources", table, index), "[[sources]]", context_.report);
    SourceSettings source;
    source.name = name(reader, table);
    const SourceType* type = this->type(reader);
    if (type == nullptr) return;  // which keys are right depends on it
    source.type = type->name;
    reader.belongs("on_busy", "a handler");
    send_keys_home(reader);
    source.options = type->read(reader, context_);
    std::visit([&](auto& each) { each.name = source.name; }, source.options);
    read_rule(reader, context_, source);
    if (const auto* topic = std::get_if<TopicOptions>(&source.options)) source.rule.published = topic->published;
    if (auto* watcher = std::get_if<FileWatcherOptions>(&source.options)) {
      watcher->gather = std::min(source.rule.debounce / 2, kLongestGather);
    }
    if (const auto* webhook = std::get_if<WebhookOptions>(&source.options)) take_path(reader, webhook->path);
    if (auto* requests = std::get_if<GitPrOptions>(&source.options); requests != nullptr && requests->webhook) {
      requests->webhook->name = source.name;
      take_path(reader, requests->webhook->path);
    }
    reader.finish();
    context_.settings.sources.push_back(std::move(source));
  }

 private:
  std::string name(TableReader& reader, const ConfigNode& table) {
    const ConfigNode* node = reader.text("name");
    if (node == nullptr) return "";
    reader.show_text("name", *node);
    if (const std::string wrong = check_config_name(node->text); !wrong.empty()) {
      reader.fail(*node, "name", wrong + ", found " + shown(*node));
    }
    const auto [first, fresh] = names_.emplace(node->text, table.place);
    if (!fresh) reader.fail(*node, "name", "a second source of this name; the first is at " + place_text(first->second));
    return node->text;
  }

  const SourceType* type(TableReader& reader) {
    std::vector<std::string> names;
    for (const SourceType& type : kTypes) names.emplace_back(type.name);
    if (!reader.has("type")) reader.fail_table("needs `type`: " + enumerated(names, "or"));
    return find_type(reader.choice("type", names, ""));
  }

  // For a key that is right, but in the wrong source.
  static void send_keys_home(TableReader& reader) {
    std::map<std::string_view, std::vector<std::string>> homes;
    for (const SourceType& type : kTypes) {
      for (const auto key : type.keys) homes[key].push_back("`" + std::string(type.name) + "`");
    }
    for (const auto& [key, types] : homes) reader.belongs(key, enumerated(types, "and") + " sources");
  }

  void take_path(TableReader& reader, const std::string& path) {
    context_.settings.listen = true;
    if (path.empty()) return;
    const ConfigNode* node = reader.any("path");
    // Two that differ in the names of their segments take the same requests.
    std::string shape;
    bool named = false;
    for (const char c : path) {
      if (c == '}') named = false;
      if (!named) shape += c;
      if (c == '{') named = true;
    }
    const auto [first, fresh] = paths_.emplace(shape, node->place);
    if (!fresh)
      reader.fail(*node, "path", "a second webhook on " + shown(*node) + "; the first is at " + place_text(first->second));
  }

  static std::string place_text(const ConfigPlace& place) { return place.file->name + ":" + std::to_string(place.line); }

  MappingContext& context_;
  std::map<std::string, ConfigPlace> names_;
  std::map<std::string, ConfigPlace> paths_;
};

}  // namespace

std::vector<std::string> read_globs(TableReader& reader, std::string_view key) {
  std::vector<std::string> globs;
  const auto nodes = reader.texts(key);
  if (reader.has(key)) reader.show_texts(key, nodes, reader.any(key));
  for (const ConfigNode* node : nodes) {
    const std::string_view pattern = std::string_view(node->text).substr(node->text.starts_with('!') ? 1 : 0);
    if (pattern.empty()) {
      reader.fail(*node, key, "expected a glob such as \"**/*.py\", found " + shown(*node));
    } else if (const auto glob = Glob::parse(pattern); !glob) {
      reader.fail(*node, key, "not a glob: " + glob.error().text());
    }
    globs.push_back(node->text);
  }
  return globs;
}

void read_sources(const std::vector<const ConfigNode*>& sources, MappingContext& context) {
  SourceReader reader(context);
  for (std::size_t i = 0; i < sources.size(); ++i) reader.read(*sources[i], i);
}

}  // namespace hark
