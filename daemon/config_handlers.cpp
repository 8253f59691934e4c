#include <algorithm>
#include <set>

#include "core/limits.h"
#include "daemon/config_mapping.h"

namespace hark {
namespace {

// Long enough for any build, short enough that what hangs does not hold its slot for ever.
constexpr std::string_view kHandlerTimeout = "1h";
constexpr Duration kLeastTimeout = std::chrono::milliseconds(1);

bool is_word(std::string_view text, std::string_view further) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || further.find(c) != std::string_view::npos;
  });
}

// A step's keys of the contract, not of this version.
void refuse_later_step_keys(TableReader& reader) {
  reader.not_yet({"prompt", "provider", "system", "publish", "topic", "data", "wait", "where", "recipe", "since", "message", "model"});
}

bool has_step_kind(const TableReader& reader) {
  return reader.has("run") || reader.has("http") || reader.has("tool") || reader.has("prompt") || reader.has("publish") || reader.has("wait") || reader.has("recipe");
}

class HandlerReader {
 public:
  HandlerReader(const std::string& name, const ConfigNode& table, const MappingContext& context)
      : context_(context), reader_(table, "handlers." + toml_key(name), "[handlers." + toml_key(name) + "]", context.report) {
    handler_.name = name;
  }

  Handler read() {
    reader_.not_yet({"gates", "max_iterations", "budget", "workspace", "delivery", "stop_on_no_progress",
                     "hooks", "signals"});
    reader_.belongs("key", "a source");
    reader_.belongs("continue_on_error", "a step of several");
    refuse_later_step_keys(reader_);
    // Their own tables follow the handler's, so that what is shown is TOML; hence the limits first.
    const bool several = reader_.has("steps");
    if (several) {
      for (const char* key : {"run", "http", "tool", "action", "path", "content", "if"}) {
        reader_.allow(key);
        if (reader_.has(key)) reader_.fail_key(key, "stands beside `steps`; expected it within a step, or no `steps`");
      }
    } else {
      single_step();
    }
    limits();
    environment();
    read_policy(reader_, context_, handler_);
    reader_.any("steps");
    reader_.finish();
    if (several) steps();
    return std::move(handler_);
  }

 private:
  void single_step() {
    StepOptions step;
    step.name = "step1";
    if (!has_step_kind(reader_)) {
      reader_.fail_table("needs something to do: `run`, `http`, `tool` or `steps`");
    }
    read_step_kind(reader_, {}, step);
    handler_.steps.push_back(std::move(step));
  }

  void limits() {
    if (const auto cap = reader_.integer("max_concurrent", 1, limits::kConcurrentHandlers)) {
      handler_.max_concurrent = static_cast<int>(*cap);
      const auto all = context_.settings.max_concurrent_handlers;
      if (handler_.max_concurrent > all) reader_.warn(reader_.any("max_concurrent")->place, "max_concurrent", "is more than all handlers together may run: max_concurrent_handlers is " + std::to_string(all));
      reader_.show("max_concurrent", std::to_string(*cap), reader_.any("max_concurrent"));
    }
    handler_.timeout = reader_.duration("timeout", kHandlerTimeout, kLeastTimeout);
    const auto folder = reader_.file_path("working_directory", ".", context_.base);
    std::error_code failure;
    if (reader_.has("working_directory") && !folder.empty() && !std::filesystem::is_directory(folder, failure)) {
      reader_.warn(reader_.any("working_directory")->place, "working_directory", folder.string() + " is not a folder yet");
    }
    handler_.working_directory = folder.string();
    // "/base/." is the base.
    if (handler_.working_directory.size() > 1 && handler_.working_directory.ends_with('/')) handler_.working_directory.pop_back();
  }

  void environment() {
    const ConfigNode* table = reader_.table("environment");
    if (table == nullptr) return;
    if (table->entries.size() > limits::kConfigTable) {
      return reader_.fail(*table, "environment", "more than " + std::to_string(limits::kConfigTable) + " variables");
    }
    TableReader variables = reader_.within(*table, "environment");
    for (const ConfigEntry& entry : table->entries) {
      if (!is_word(entry.key, "")) {
        variables.fail_key(entry.key, "expected the name of a variable: letters, digits and `_`, no digit first");
      } else if (entry.key.starts_with("HARK_")) {
        variables.fail_key(entry.key, "names that begin with HARK_ are set by hark; expected another name");
      }
      const ConfigNode* value = variables.text(entry.key);
      if (value == nullptr) continue;
      variables.show_text(entry.key, *value);
      Template text = Template::parse(value->text);
      check_template(variables, *value, entry.key, text, {});
      if (const Status shell = check_variable(entry.key, text); !shell) variables.fail(*value, entry.key, shell.error().text());
      handler_.environment.emplace_back(entry.key, std::move(text));
    }
  }

  void steps() {
    const auto tables = reader_.tables("steps");
    const ConfigNode* list = reader_.any("steps");
    if (list->is(ConfigNode::Kind::array) && list->items.empty()) {
      reader_.fail(*list, "steps", "expected at least one step, found an empty array");
    }
    if (tables.size() > limits::kStepsPerHandler) {
      reader_.fail(*list, "steps", "more than " + std::to_string(limits::kStepsPerHandler) + " steps");
      return;
    }
    std::vector<std::string> earlier;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      handler_.steps.push_back(step(*tables[i], i, earlier));
      earlier.push_back(handler_.steps.back().name);
    }
  }

  StepOptions step(const ConfigNode& table, std::size_t index, const std::vector<std::string>& earlier) {
    const std::string heading = "[[handlers." + toml_key(handler_.name) + ".steps]]";
    TableReader reader(table, item_path(reader_.path() + ".steps", table, index), heading, context_.report);
    refuse_later_step_keys(reader);
    StepOptions step;
    step.name = step_name(reader, index, earlier);
    if (!has_step_kind(reader)) {
      reader.fail_table("needs something to do: `run`, `http` or `tool`");
    }
    read_step_kind(reader, earlier, step);
    read_retry(reader, step.retry);
    if (const auto tolerated = reader.boolean("continue_on_error")) {
      step.continue_on_error = *tolerated;
      reader.show("continue_on_error", *tolerated ? "true" : "false", reader.any("continue_on_error"));
    }
    if (const auto timeout = reader.duration("timeout", kLeastTimeout)) {
      step.timeout = timeout;
      reader.show_text("timeout", *reader.any("timeout"));
      if (handler_.timeout && *timeout > *handler_.timeout) {
        reader.warn(reader.any("timeout")->place, "timeout", "is longer than the handler's, which ends the step first");
      }
    }
    reader.finish();
    return step;
  }

  std::string step_name(TableReader& reader, std::size_t index, const std::vector<std::string>& earlier) {
    const auto taken = [&](const std::string& name) { return std::find(earlier.begin(), earlier.end(), name) != earlier.end(); };
    const ConfigNode* node = reader.text("name");
    if (node == nullptr) {
      const std::string name = "step" + std::to_string(index + 1);
      reader.show("name", toml_string(name), nullptr);
      if (taken(name)) reader.fail_table("would be called `" + name + "`, as an earlier step is; give it a `name`");
      return name;
    }
    reader.show_text("name", *node);
    if (!is_word(node->text, "-") || node->text.size() > limits::kNameLength) {
      reader.fail(*node, "name",
                  "expected a name of letters, digits, `_` and `-` that begins with a letter or `_`, found " + shown(*node));
    } else if (taken(node->text)) {
      reader.fail(*node, "name", "a second step of this name");
    }
    return node->text;
  }

  const MappingContext& context_;
  TableReader reader_;
  Handler handler_;
};

}  // namespace

void read_handlers(const ConfigNode& handlers, MappingContext& context) {
  TableReader reader(handlers, "handlers", "", context.report);
  for (const ConfigEntry& entry : handlers.entries) {
    if (const std::string wrong = check_config_name(entry.key); !wrong.empty()) reader.fail_key(entry.key, wrong);
    const ConfigNode* table = reader.table(entry.key);
    if (table != nullptr) context.settings.handlers.push_back(HandlerReader(entry.key, *table, context).read());
  }
}

}  // namespace hark
