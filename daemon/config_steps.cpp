#include <algorithm>
#include <array>
#include <cmath>

#include "core/glob.h"
#include "core/limits.h"
#include "core/printable.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"
#include "handlers/names.h"
#include "platform/confined_folder.h"

namespace hark {
namespace {

using Kind = ConfigNode::Kind;
using Names = std::vector<std::string>;

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

// Every kind of TOML value but dates has one form in JSON.
class JsonReader {
 public:
  JsonReader(TableReader& reader, std::string_view key, const KnownNames* known) : reader_(reader), key_(key), known_(known) {}

  nlohmann::json value(const ConfigNode& node, int depth = 1) {
    if (depth > limits::kJsonDepth) return refuse(node, "is nested deeper than " + std::to_string(limits::kJsonDepth));
    switch (node.kind) {
      case Kind::string:
        if (known_ != nullptr) check_template(reader_, node, key_, Template::parse(node.text), *known_);
        return node.text;
      case Kind::integer:
        return node.integer;
      case Kind::boolean:
        return node.boolean;
      case Kind::real:
        return std::isfinite(node.real) ? nlohmann::json(node.real) : refuse(node, "JSON has no inf and no nan");
      case Kind::date:
        return refuse(node, "JSON has no dates; write it as a string");
      case Kind::array: {
        nlohmann::json list = nlohmann::json::array();
        for (const ConfigNode& item : node.items) list.push_back(value(item, depth + 1));
        return list;
      }
      case Kind::table: {
        nlohmann::json object = nlohmann::json::object();
        for (const ConfigEntry& entry : node.entries) object[entry.key] = value(entry.value, depth + 1);
        return object;
      }
    }
    return nullptr;
  }

 private:
  nlohmann::json refuse(const ConfigNode& node, const std::string& why) {
    reader_.fail(node, key_, why);
    return nullptr;
  }

  TableReader& reader_;
  std::string_view key_;
  const KnownNames* known_;
};

// As far as it is the same for every event.
void check_constant(TableReader& reader, std::string_view key, const Template& text, Status (*check)(std::string_view)) {
  const ConfigNode* node = reader.any(key);
  if (node == nullptr || !node->is(Kind::string) || !text.constant()) return;
  if (const Status fine = check(text.render([](std::string_view) { return nullptr; })); !fine) reader.fail(*node, key, fine.error().text());
}

Status check_glob(std::string_view pattern) {
  const auto glob = Glob::parse(pattern);
  return glob ? Status() : glob.error();
}

void read_url(TableReader& reader, const KnownNames& known, HttpStepOptions& http) {
  const ConfigNode* url = reader.text("url");
  if (url == nullptr) {
    if (!reader.has("url")) reader.fail_table("needs `url`");
    return;
  }
  reader.show_text("url", *url);
  http.url = Template::parse(url->text);
  const bool from_template = url->text.starts_with('{');
  const bool web = url->text.starts_with("http://") || url->text.starts_with("https://");
  const bool spaced = std::any_of(url->text.begin(), url->text.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
  if ((!web && !from_template) || spaced)
    reader.fail(*url, "url", "expected a URL that begins with http:// or https://, found " + shown(*url));
  check_template(reader, *url, "url", http.url, known);
}

void read_headers(TableReader& reader, const KnownNames& known, HttpStepOptions& http) {
  const ConfigNode* table = reader.table("headers");
  if (table == nullptr) return;
  if (table->entries.size() > limits::kConfigTable) {
    return reader.fail(*table, "headers", "more than " + std::to_string(limits::kConfigTable) + " headers");
  }
  TableReader headers = reader.within(*table, "headers");
  for (const ConfigEntry& entry : table->entries) {
    const ConfigNode* value = read_header(headers, entry);
    if (value == nullptr) continue;
    Template text = Template::parse(value->text);
    check_template(headers, *value, entry.key, text, known);
    http.headers.emplace_back(entry.key, std::move(text));
  }
}

// RFC 9110, 8.3.1, without parameters but such as "charset=utf-8".
bool is_media_type(std::string_view text) {
  const auto slash = text.find('/');
  return slash != text.npos && slash > 0 && slash + 1 < text.size() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

void read_form(TableReader& reader, const KnownNames& known, HttpStepOptions& http) {
  const ConfigNode* table = reader.table("form");
  if (table == nullptr) return;
  if (table->entries.size() > limits::kConfigTable) return reader.fail(*table, "form", "more than " + std::to_string(limits::kConfigTable) + " fields");
  if (table->entries.empty()) reader.fail(*table, "form", "expected at least one field, found an empty table");
  TableReader fields = reader.within(*table, "form");
  for (const ConfigEntry& entry : table->entries) {
    if (!entry.value.is(ConfigNode::Kind::table)) {
      http.form.push_back({entry.key, read_template(fields, entry.key, known), {}});
      continue;
    }
    TableReader file = fields.within(entry.value, entry.key);
    if (!file.has("file")) file.fail_table("expected a text, or a table with `file`, the path of what is sent");
    FormField field{entry.key, read_confined_path(file, "file", known).value_or(Template()), FormField::File{"application/octet-stream", {}}};
    if (const ConfigNode* type = file.text("type")) {
      file.show_text("type", *type);
      if (!is_media_type(type->text)) file.fail(*type, "type", "expected a media type, such as \"text/csv\", found " + shown(*type));
      field.file->type = type->text;
    }
    if (file.has("filename")) field.file->file_name = read_template(file, "filename", known);
    file.finish();
    http.form.push_back(std::move(field));
  }
  const bool files = std::any_of(http.form.begin(), http.form.end(), [](const FormField& field) { return field.file.has_value(); });
  const auto typed = std::find_if(http.headers.begin(), http.headers.end(), [](const auto& header) { return equal_ignoring_case(header.first, "Content-Type"); });
  if (files && typed != http.headers.end()) reader.fail(*table, "form", "holds a file, so that the header `" + typed->first + "` is hark's to write; expected no such header");
}

// How many redirects: true is as many as browsers' users meet.
int read_follow(TableReader& reader) {
  const ConfigNode* node = reader.any("follow");
  if (node == nullptr) return 0;
  if (!node->is(Kind::boolean)) {
    const auto follow = reader.integer("follow", 0, limits::kRedirects);
    if (follow) reader.show("follow", std::to_string(*follow), node);
    return int(follow.value_or(0));
  }
  return reader.boolean("follow", false) ? int(limits::kRedirects) : 0;
}

void read_http(TableReader& outer, const ConfigNode& table, const KnownNames& known, HttpStepOptions& http) {
  TableReader reader = outer.within(table, "http");
  constexpr std::array kBodies = {"json", "body", "form", "file"};
  const char* sent = nullptr;
  for (const char* body : kBodies) {
    if (sent != nullptr && reader.has(body)) reader.fail_key(body, "stands beside `" + std::string(sent) + "`; expected one of them");
    if (sent == nullptr && reader.has(body)) sent = body;
  }
  http.method = reader.choice("method", {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, sent != nullptr ? "POST" : "GET");
  read_url(reader, known, http);
  read_headers(reader, known, http);
  if (const ConfigNode* json = reader.any("json")) {
    reader.show("json", masked_toml(*json, "json"), json);
    http.json = read_json(reader, "json", *json, &known);
  }
  if (const ConfigNode* body = reader.text("body")) {
    reader.show_text("body", *body);
    http.body = Template::parse(body->text);
    check_template(reader, *body, "body", *http.body, known);
  }
  read_form(reader, known, http);
  http.file = read_confined_path(reader, "file", known);
  http.save = read_confined_path(reader, "save", known);
  http.follow = read_follow(reader);
  http.expect = reader.integers("expect", 100, 599, "a status");
  for (const char* key : {"timeout", "retry", "if", "name"}) reader.belongs(key, "the step, beside `http`");
  reader.finish();
}

void read_file_tool(TableReader& reader, const KnownNames& known, FileStepOptions& file) {
  using Action = FileStepOptions::Action;
  if (!reader.has("action")) reader.fail_table("tool = \"file\" needs `action`: read, write, append or glob");
  const auto action = reader.choice("action", {"read", "write", "append", "glob"}, "");
  file.action = action == "write" ? Action::write : action == "append" ? Action::append : action == "glob" ? Action::glob : Action::read;
  if (!reader.has("path")) reader.fail_table("tool = \"file\" needs `path`, relative to the handler's `working_directory`");
  file.path = read_template(reader, "path", known);
  check_constant(reader, "path", file.path, file.action == Action::glob ? check_glob : check_confined_path);
  const bool writes = file.action == Action::write || file.action == Action::append;
  if (writes && !reader.has("content")) reader.fail_table("action = " + toml_string(action) + " needs `content`");
  file.content = read_template(reader, "content", known);
  reader.warn_if_idle("content", !writes, "nothing is written");
}

void read_tool(TableReader& reader, const KnownNames& known, StepOptions& step) {
  const auto tool = reader.choice("tool", {"file", "git", "forge", "slack"}, "");
  if (tool == "git") read_git_tool(reader, known, step);
  if (tool == "forge") read_forge_tool(reader, known, step);
  if (tool == "slack") read_slack_tool(reader, known, step);
  refuse_git_keys(reader);
  refuse_forge_keys(reader);
  refuse_slack_keys(reader);
  for (const char* key : {"path", "content"}) reader.belongs(key, "a step with tool = \"file\"");
  if (tool != "file") return;
  FileStepOptions file;
  read_file_tool(reader, known, file);
  step.kind = std::move(file);
}

void read_condition(TableReader& reader, const KnownNames& known, StepOptions& step) {
  const ConfigNode* node = reader.text("if");
  if (node == nullptr) return;
  reader.show_text("if", *node);
  refuse_template(reader, *node, "if");
  auto filter = Filter::parse(node->text);
  if (!filter) {
    reader.fail(*node, "if", "not a filter: " + filter.error().text());
    return;
  }
  // Other fields may be anything in the event's data; what the pipeline itself gives can be known now.
  for (const std::string& field : filter->fields()) {
    if (!is_scope_root(split_name(field).first)) continue;
    if (const Status fine = check_name(field, known); !fine) reader.fail(*node, "if", fine.error().text());
  }
  step.condition = std::move(*filter);
}

}  // namespace

void warn_of_unclosed(TableReader& reader, const ConfigNode& at, std::string_view key, const Template& text) {
  if (!text.unclosed().empty()) reader.warn(at.place, key, "'" + text.unclosed() + "' stands as it is: no `}` ends it");
}

void refuse_template(TableReader& reader, const ConfigNode& node, std::string_view key) {
  const auto names = Template::parse(node.text).names();
  const auto meant = std::find_if(names.begin(), names.end(), [](const std::string& name) { return is_scope_root(split_name(name).first); });
  if (meant != names.end()) reader.fail(node, key, "'{" + printable(*meant, limits::kShownValue) + "}' would stand as it is: `" + std::string(key) + "` has no templates");
}

void check_template(TableReader& reader, const ConfigNode& at, std::string_view key, const Template& text, const KnownNames& known) {
  warn_of_unclosed(reader, at, key, text);
  for (const std::string& name : text.names()) {
    if (const Status fine = check_name(name, known); !fine) reader.fail(at, key, fine.error().text());
  }
}

void read_command(TableReader& reader, std::string_view key, const KnownNames& known, RunStepOptions& run) {
  const ConfigNode* node = reader.any(key);
  const auto parts = reader.texts(key);
  if (node->is(Kind::string)) {
    if (parts.empty()) return;
    reader.show_text(key, *node);
    run.script = Template::parse(node->text);
    if (is_blank(node->text)) reader.fail(*node, key, "expected a command, found " + shown(*node));
    check_template(reader, *node, key, run.script, known);
    if (const Status shell = check_shell(run.script); !shell) reader.fail(*node, key, shell.error().text());
    return;
  }
  if (!node->is(Kind::array)) return;  // reported
  reader.show_texts(key, parts, node);
  run.shell = false;
  for (const ConfigNode* part : parts) {
    run.arguments.push_back(Template::parse(part->text));
    check_template(reader, *part, key, run.arguments.back(), known);
  }
  if (const auto problem = check_arguments(run.arguments)) {
    reader.fail(*parts[problem->argument], key, problem->error.text());
  }
  if (node->items.empty()) {
    reader.fail(*node, key, "expected a program and its arguments, found an empty array");
  } else if (!parts.empty() && parts.front() == &node->items.front() && is_blank(parts.front()->text)) {
    reader.fail(*parts.front(), key, "expected a program, found " + shown(*parts.front()));
  }
}

Template read_template(TableReader& reader, std::string_view key, const KnownNames& known) {
  const ConfigNode* node = reader.text(key);
  if (node == nullptr) return {};
  reader.show_text(key, *node);
  auto text = Template::parse(node->text);
  check_template(reader, *node, key, text, known);
  return text;
}

std::optional<Template> read_confined_path(TableReader& reader, std::string_view key, const KnownNames& known) {
  if (!reader.has(key)) {
    reader.allow(key);
    return std::nullopt;
  }
  auto path = read_template(reader, key, known);
  check_constant(reader, key, path, check_confined_path);
  return path;
}

const ConfigNode* read_header(TableReader& headers, const ConfigEntry& entry) {
  const auto token = [](unsigned char c) {
    return c > 0x20 && c < 0x7f && std::string_view("\"(),/:;<=>?@[\\]{}").find(static_cast<char>(c)) == std::string_view::npos;
  };
  if (entry.key.empty() || !std::all_of(entry.key.begin(), entry.key.end(), token)) {
    headers.fail_key(entry.key, "expected the name of a header, such as Content-Type");
  }
  const ConfigNode* value = headers.text(entry.key);
  if (value == nullptr) return nullptr;
  headers.show_text(entry.key, *value);
  const auto control = [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; };
  if (std::any_of(value->text.begin(), value->text.end(), control)) {
    headers.fail(*value, entry.key, "expected a header's value on one line, found a control character in it");
  }
  return value;
}

nlohmann::json read_json(TableReader& reader, std::string_view key, const ConfigNode& node, const KnownNames* known) { return JsonReader(reader, key, known).value(node); }

void read_step_kind(TableReader& reader, const MappingContext& context, const KnownNames& known, StepOptions& step) {
  constexpr std::array kKinds = {"run", "http", "tool", "prompt", "set", "publish", "wait", "recipe", "parallel"};
  const char* first = nullptr;
  for (const char* kind : kKinds) {
    reader.allow(kind);
    if (first != nullptr && reader.has(kind)) reader.fail_key(kind, "stands beside `" + std::string(first) + "`; expected one of them in a step");
    if (first == nullptr && reader.has(kind)) first = kind;
  }
  if (!reader.has("tool")) {
    for (const char* key : {"action", "path", "content"}) reader.belongs(key, "a step with `tool`");
    refuse_git_keys(reader);
    refuse_forge_keys(reader);
    refuse_slack_keys(reader);
  }
  if (!reader.has("prompt")) {
    for (const char* key : kPromptKeys) reader.belongs(key, "a step with `prompt`");
  }
  if (!reader.has("publish") && !reader.has("wait")) reader.belongs("topic", "a step with `publish` or `wait`");
  if (!reader.has("publish")) {
    for (const char* key : {"data", "subject", "source"}) reader.belongs(key, "a step with `publish`");
  }
  if (!reader.has("wait")) reader.belongs("where", "a step with `wait` (a step is left out by `if`)");
  if (reader.has("run")) {
    RunStepOptions run;
    read_command(reader, "run", known, run);
    step.kind = std::move(run);
  } else if (const ConfigNode* table = reader.table("http")) {
    HttpStepOptions http;
    read_http(reader, *table, known, http);
    step.kind = std::move(http);
  } else if (reader.has("tool")) {
    read_tool(reader, known, step);
  } else if (reader.has("prompt")) {
    read_prompt(reader, context, known, step);
  } else if (reader.has("set")) {
    read_set(reader, known, step);
  } else if (reader.has("publish")) {
    read_publish(reader, context, known, step);
  } else if (reader.has("wait")) {
    read_wait(reader, known, step);
  } else if (reader.has("recipe")) {
    read_recipe(reader, context, known, step);
  }
  if (!reader.has("recipe")) reader.belongs("with", "a step with `recipe`");
  read_condition(reader, known, step);
}

}  // namespace hark
