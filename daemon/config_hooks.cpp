#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "core/filter.h"
#include "core/glob.h"
#include "core/limits.h"
#include "core/printable.h"
#include "core/template.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"
#include "platform/http_url.h"
#include "reporters/hook.h"

namespace hark {
namespace {

using Kind = ConfigNode::Kind;

class HookReader {
 public:
  explicit HookReader(MappingContext& context) : context_(context) {}

  void read(const ConfigNode& table, std::size_t index) {
    Hook hook;
    hook.name = "hook" + std::to_string(index + 1);
    const ConfigEntry* name = table.find("name");
    if (name != nullptr && name->value.is(Kind::string)) hook.name = name->value.text;
    TableReader reader(table, "hooks." + hook.name, "[[hooks]]", context_.report);
    read_name(reader, hook);
    read_on(reader, hook);
    read_where(reader, hook);
    read_action(reader, hook);
    reader.finish();
    context_.settings.hooks.push_back(std::move(hook));
  }

 private:
  void read_name(TableReader& reader, const Hook& hook) {
    const ConfigNode* node = reader.text("name");
    if (node == nullptr) {
      if (!reader.has("name")) reader.show("name", toml_string(hook.name), nullptr);
    } else {
      reader.show_text("name", *node);
      if (const auto wanted = check_config_name(node->text); !wanted.empty()) reader.fail(*node, "name", wanted);
    }
    const auto& at = node != nullptr ? node->place : reader.place();
    const auto [first, fresh] = names_.emplace(hook.name, at);
    if (!fresh) reader.fail_table("a second hook is named '" + printable(hook.name, limits::kShownValue) + "'; the first is at " + first->second.file->name + ":" + std::to_string(first->second.line));
  }

  void read_on(TableReader& reader, Hook& hook) {
    if (!reader.has("on")) reader.fail_table("needs `on`: the lifecycle events it is about, such as \"event:received\" or \"run:*\"");
    const auto nodes = reader.texts("on");
    if (const ConfigNode* on = reader.any("on")) {
      reader.show_texts("on", nodes, on);
      if (on->is(Kind::array) && on->items.empty()) reader.fail(*on, "on", "expected at least one lifecycle event, found an empty array");
    }
    const auto names = lifecycle::names();
    for (const ConfigNode* node : nodes) {
      const auto before = hook.on.size();
      std::copy_if(names.begin(), names.end(), std::inserter(hook.on, hook.on.end()), [&](const std::string& name) { return wildcard_match(node->text, name); });
      const bool known = std::any_of(names.begin(), names.end(), [&](const std::string& name) { return wildcard_match(node->text, name); });
      if (hook.on.size() == before && !known) reader.fail(*node, "on", "there is no lifecycle event " + shown(*node) + suggestion(node->text, names));
    }
  }

  void read_where(TableReader& reader, Hook& hook) {
    const ConfigNode* node = reader.text("where");
    if (node == nullptr) return;
    reader.show_text("where", *node);
    auto filter = Filter::parse(node->text);
    if (!filter) return reader.fail(*node, "where", "not a filter: " + filter.error().text());
    hook.where = std::move(*filter);
  }

  void read_action(TableReader& reader, Hook& hook) {
    constexpr std::array kActions = {"action", "run", "http", "publish"};
    const char* first = nullptr;
    for (const char* action : kActions) {
      reader.allow(action);
      if (first != nullptr && reader.has(action)) reader.fail_key(action, "stands beside `" + std::string(first) + "`; expected one of them in a hook");
      if (first == nullptr && reader.has(action)) first = action;
    }
    if (first == nullptr) reader.fail_table("needs something to do: `action = \"skip\"`, `run`, `http` or `publish`");
    if (!reader.has("publish")) {
      for (const char* key : {"topic", "source"}) reader.belongs(key, "a hook with `publish`");
    }
    if (!reader.has("run")) reader.belongs("working_directory", "a hook with `run`");
    if (reader.has("run") || reader.has("http")) {
      hook.timeout = reader.duration("timeout", "5s", std::chrono::milliseconds(1));
    } else {
      reader.belongs("timeout", "a hook with `run` or `http`");
    }
    if (reader.has("action")) {
      read_skip(reader, hook);
    } else if (reader.has("run")) {
      hook.action = read_command(reader);
    } else if (const ConfigNode* table = reader.table("http")) {
      hook.action = read_request(reader, *table);
    } else if (reader.has("publish")) {
      hook.action = read_publish(reader);
    }
  }

  void read_skip(TableReader& reader, const Hook& hook) {
    reader.choice("action", {"skip"}, "");
    const auto told = std::find_if(hook.on.begin(), hook.on.end(), [](const std::string& name) { return !can_be_vetoed(name); });
    if (told == hook.on.end()) return;
    reader.fail(*reader.any("action"), "action",
                "`" + *told + "` tells of what has happened, which cannot be skipped; expected `on` with event:received (the event goes to no handler) or event:queued (that handler does not run)");
  }

  Hook::Command read_command(TableReader& reader) {
    Hook::Command command;
    const ConfigNode* node = reader.any("run");
    const auto parts = reader.texts("run");
    if (node->is(Kind::string)) {
      if (!parts.empty()) reader.show_text("run", *node);
      command.argv = {"/bin/sh", "-c", node->text};
    } else if (node->is(Kind::array)) {
      reader.show_texts("run", parts, node);
      for (const ConfigNode* part : parts) command.argv.push_back(part->text);
    }
    for (const ConfigNode* part : parts) warn_of_template(reader, *part, "run");
    const auto& program = node->is(Kind::string) ? node->text : node->items.empty() ? std::string() : node->items.front().text;
    if ((node->is(Kind::string) || node->is(Kind::array)) && program.find_first_not_of(" \t\r\n") == std::string::npos) {
      reader.fail(*node, "run", node->is(Kind::string) ? "expected a command, found " + shown(*node) : "expected a program and its arguments");
    }
    command.working_directory = reader.file_path("working_directory", ".", context_.base).string();
    if (command.working_directory.size() > 1 && command.working_directory.ends_with('/')) command.working_directory.pop_back();
    read_containment(reader, command.working_directory, command.containment);
    return command;
  }

  Hook::Request read_request(TableReader& outer, const ConfigNode& table) {
    Hook::Request request;
    TableReader reader = outer.within(table, "http");
    if (const ConfigNode* url = reader.text("url")) {
      reader.show_text("url", *url);
      warn_of_template(reader, *url, "url");
      if (!parse_http_url(url->text)) reader.fail(*url, "url", "expected a URL that begins with http:// or https://, found " + shown(*url));
      request.url = url->text;
    } else if (!reader.has("url")) {
      reader.fail_table("needs `url`");
    }
    if (const ConfigNode* headers = reader.table("headers")) {
      if (headers->entries.size() > limits::kConfigTable) reader.fail(*headers, "headers", "more than " + std::to_string(limits::kConfigTable) + " headers");
      TableReader within = reader.within(*headers, "headers");
      for (const ConfigEntry& entry : headers->entries) {
        const ConfigNode* value = read_header(within, entry);
        if (value == nullptr) continue;
        warn_of_template(within, *value, entry.key);
        request.headers.emplace_back(entry.key, value->text);
      }
    }
    reader.finish();
    return request;
  }

  Hook::Publish read_publish(TableReader& reader) {
    Hook::Publish publish;
    if (const ConfigNode* type = reader.text("publish")) {
      reader.show_text("publish", *type);
      publish.type = type->text;
      if (type->text.empty()) reader.fail(*type, "publish", "expected the type of an event, found " + shown(*type));
    }
    if (const ConfigNode* topic = reader.text("topic")) {
      reader.show_text("topic", *topic);
      publish.topic = topic->text;
      if (topic->text.empty()) reader.fail(*topic, "topic", "expected text, found an empty string");
    }
    std::vector<std::string> names;
    for (const auto& source : context_.settings.sources) names.push_back(source.name);
    if (const ConfigNode* source = reader.text("source")) {
      reader.show_text("source", *source);
      publish.source = source->text;
      if (std::find(names.begin(), names.end(), source->text) == names.end()) reader.fail(*source, "source", "there is no source " + shown(*source) + suggestion(source->text, names));
    }
    return publish;
  }

  // Who writes one expects a value, and the text goes out as it stands.
  static void warn_of_template(TableReader& reader, const ConfigNode& node, std::string_view key) {
    const auto names = Template::parse(node.text).names();
    if (!names.empty()) reader.warn(node.place, key, "'{" + printable(names.front(), limits::kShownValue) + "}' stands as it is: a hook gets the lifecycle event as JSON, and has no templates");
  }

  MappingContext& context_;
  std::map<std::string, ConfigPlace> names_;
};

}  // namespace

void read_hooks(const std::vector<const ConfigNode*>& hooks, MappingContext& context) {
  HookReader reader(context);
  for (std::size_t i = 0; i < hooks.size(); ++i) reader.read(*hooks[i], i);
}

}  // namespace hark
