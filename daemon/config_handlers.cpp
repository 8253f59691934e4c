#include <algorithm>
#include <set>

#include "core/limits.h"
#include "daemon/config_mapping.h"
#include "platform/confined_folder.h"

namespace hark {
namespace {

// Long enough for any build, short enough that what hangs does not hold its slot for ever.
constexpr std::string_view kHandlerTimeout = "1h";
constexpr Duration kLeastTimeout = std::chrono::milliseconds(1);

class HandlerReader {
 public:
  HandlerReader(const std::string& name, const ConfigNode& table, const MappingContext& context)
      : context_(context), reader_(table, "handlers." + toml_key(name), "[handlers." + toml_key(name) + "]", context.report) {
    handler_.name = name;
  }

  Handler read() {
    reader_.not_yet({"hooks", "signals"});
    reader_.belongs("key", "a source");
    for (const char* key : {"continue_on_error", "always"}) reader_.belongs(key, "a step of several");
    refuse_later_step_keys(reader_);
    // Their own tables follow the handler's, so that what is shown is TOML; hence the limits first.
    const bool several = reader_.has("steps");
    if (several) {
      for (const char* key : {"run", "http", "tool", "prompt", "set", "publish", "wait", "topic", "subject", "data", "source", "where", "recipe", "with", "parallel", "foreach", "action", "path", "content", "if"}) {
        reader_.allow(key);
        if (reader_.has(key)) reader_.fail_key(key, "stands beside `steps`; expected it within a step, or no `steps`");
      }
      for (const char* key : kPromptKeys) reader_.belongs(key, "a step with `prompt`");
    } else {
      single_step();
    }
    workspace();
    limits();
    iterations();
    read_containment(reader_, handler_.working_directory, handler_.containment);
    environment();
    read_policy(reader_, context_, handler_);
    for (const char* key : {"steps", "gates", "delivery"}) reader_.allow(key);
    reader_.finish();
    KnownNames known;
    const auto list = [&](const char* key) { return read_step_list(reader_, key, reader_.path() + "." + key, context_, handler_.timeout, known); };
    if (several) {
      handler_.steps = list("steps");
    } else {
      known.steps.push_back(handler_.steps.front().name);
      if (reader_.has("parallel")) read_parallel(reader_, reader_.path() + ".parallel", context_, known, handler_.steps.front());
    }
    handler_.gates = list("gates");
    handler_.delivery = list("delivery");
    return std::move(handler_);
  }

 private:
  void single_step() {
    StepOptions step;
    step.name = "step1";
    if (!has_step_kind(reader_)) {
      reader_.fail_table("needs something to do: `run`, `http`, `prompt`, `tool`, `publish`, `wait`, `recipe`, `parallel` or `steps`");
    }
    KnownNames known;
    read_foreach(reader_, known, step);
    read_step_kind(reader_, context_, known, step);
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
    if (const ConfigNode* folder = reader_.text("working_directory")) refuse_template(reader_, *folder, "working_directory");
    if (handler_.workspace.kind != WorkspaceOptions::Kind::none) return folder_within();
    const auto folder = reader_.file_path("working_directory", ".", context_.base);
    std::error_code failure;
    if (reader_.has("working_directory") && !folder.empty() && !std::filesystem::is_directory(folder, failure)) {
      reader_.warn(reader_.any("working_directory")->place, "working_directory", folder.string() + " is not a folder yet");
    }
    handler_.working_directory = folder.string();
    // "/base/." is the base.
    if (handler_.working_directory.size() > 1 && handler_.working_directory.ends_with('/')) handler_.working_directory.pop_back();
  }

  // Of the workspace.
  void folder_within() {
    const ConfigNode* node = reader_.text("working_directory");
    if (node == nullptr) return;
    reader_.show_text("working_directory", *node);
    handler_.working_directory = node->text;
    if (const auto within = check_confined_path(node->text); !within) reader_.fail(*node, "working_directory", "stands in the workspace: " + within.error().text());
  }

  void workspace() {
    const ConfigNode* table = reader_.table("workspace");
    if (table == nullptr) return;
    using Kind = WorkspaceOptions::Kind;
    using Keep = WorkspaceOptions::Keep;
    auto& workspace = handler_.workspace;
    TableReader reader = reader_.within(*table, "workspace");
    if (!reader.has("kind")) reader.fail_table("needs `kind`: temporary, path or git-worktree");
    const auto kind = reader.choice("kind", {"temporary", "path", "git-worktree"}, "");
    workspace.kind = kind == "path" ? Kind::path : kind == "git-worktree" ? Kind::git_worktree : Kind::temporary;
    workspace.base = context_.base.string();
    if (workspace.kind == Kind::path) {
      if (!reader.has("path")) reader.fail_table("kind = \"path\" needs `path`");
      workspace.path = read_own_template(reader, "path");
    } else {
      reader.belongs("path", "kind = \"path\"");
    }
    if (workspace.kind == Kind::git_worktree) {
      if (const ConfigNode* repository = reader.text("repository")) refuse_template(reader, *repository, "repository");
      workspace.repository = reader.file_path("repository", ".", context_.base).string();
      if (workspace.repository.size() > 1 && workspace.repository.ends_with('/')) workspace.repository.pop_back();  // "/base/." is the base
      workspace.ref = reader.has("ref") ? read_own_template(reader, "ref") : Template::parse("HEAD");
    } else {
      for (const char* key : {"repository", "ref"}) reader.belongs(key, "kind = \"git-worktree\"");
    }
    if (workspace.kind == Kind::path) {
      reader.belongs("keep", "a workspace that hark makes; one at a path stays");
    } else {
      const auto keep = reader.choice("keep", {"never", "on-failure", "always"}, "never");
      workspace.keep = keep == "always" ? Keep::always : keep == "on-failure" ? Keep::on_failure : Keep::never;
    }
    workspace.restore = reader.boolean("restore", false);
    reader.finish();
  }

  // Before the first step.
  Template read_own_template(TableReader& reader, std::string_view key) {
    const ConfigNode* node = reader.text(key);
    if (node == nullptr) return {};
    reader.show_text(key, *node);
    auto text = Template::parse(node->text);
    check_template(reader, *node, key, text, {});
    return text;
  }

  void iterations() {
    using Strategy = IterationOptions::Strategy;
    auto& iterations = handler_.iterations;
    if (const auto most = reader_.integer("max_iterations", 1, limits::kIterations)) {
      iterations.most = static_cast<int>(*most);
      reader_.show("max_iterations", std::to_string(*most), reader_.any("max_iterations"));
    }
    if (reader_.has("strategy")) {
      const auto strategy = reader_.choice("strategy", {"until-gates-pass", "fixed", "best-of"}, "until-gates-pass");
      iterations.strategy = strategy == "fixed" ? Strategy::fixed : strategy == "best-of" ? Strategy::best_of : Strategy::until_gates_pass;
    } else {
      reader_.allow("strategy");
    }
    if (const auto stop = reader_.boolean("stop_on_no_progress")) {
      iterations.stop_on_no_progress = *stop;
      reader_.show("stop_on_no_progress", *stop ? "true" : "false", reader_.any("stop_on_no_progress"));
    }
    const bool has_workspace = reader_.has("workspace");
    if (iterations.stop_on_no_progress && !has_workspace) reader_.fail_key("stop_on_no_progress", "looks at the workspace; expected `workspace` beside it");
    if (iterations.strategy == Strategy::best_of) {
      if (!has_workspace) reader_.fail_key("strategy", "\"best-of\" takes the best state of the workspace; expected `workspace` beside it");
      if (!reader_.has("gates")) reader_.fail_key("strategy", "\"best-of\" is judged by the gates; expected `gates` beside it");
    }
    if (iterations.strategy == Strategy::fixed && handler_.workspace.restore) {
      reader_.fail_key("strategy", "\"fixed\" builds each iteration on the one before; expected no `workspace.restore` beside it");
    }
    reader_.warn_if_idle("strategy", iterations.most == 1, "there is one iteration only (max_iterations)");
    reader_.warn_if_idle("max_iterations", iterations.most > 1 && iterations.strategy == Strategy::until_gates_pass && !reader_.has("gates"),
                         "without `gates` the first iteration is the last");
    if (const ConfigNode* table = reader_.table("budget")) {
      TableReader budget = reader_.within(*table, "budget");
      if (const auto tokens = budget.integer("tokens", 1, limits::kTokens)) {
        handler_.budget.tokens = static_cast<std::uint64_t>(*tokens);
        budget.show("tokens", std::to_string(*tokens), budget.any("tokens"));
      }
      handler_.budget.time = budget.duration("time", kLeastTimeout);
      if (handler_.budget.time) budget.show_text("time", *budget.any("time"));
      budget.finish();
    }
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
