// Steps of values and of steps: `set`, `foreach`, `recipe`, `parallel`.
#include <algorithm>
#include <string>
#include <utility>

#include "core/limits.h"
#include "daemon/config_layers.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"
#include "daemon/toml_document.h"

namespace hark {
namespace {

namespace fs = std::filesystem;
using Values = std::vector<std::pair<std::string, Template>>;

// A table of templates, under names that templates can name.
Values read_values(TableReader& outer, std::string_view key, const KnownNames& known) {
  Values values;
  const ConfigNode* table = outer.table(key);
  if (table == nullptr) return values;
  if (table->entries.size() > limits::kConfigTable) {
    outer.fail(*table, key, "more than " + std::to_string(limits::kConfigTable) + " values");
    return values;
  }
  TableReader reader = outer.within(*table, key);
  for (const ConfigEntry& entry : table->entries) {
    if (!is_word(entry.key, "-")) reader.fail_key(entry.key, "expected a name of letters, digits, `_` and `-` that begins with a letter or `_`");
    values.emplace_back(entry.key, read_template(reader, entry.key, known));
  }
  return values;
}

bool is_one_name(const Template& text) {
  const auto names = text.names();
  return names.size() == 1 && text.text() == "{" + names.front() + "}";
}

struct Parameter {
  std::string name;
  std::optional<std::string> fallback;
};

// A recipe's file, whose values `config show` leaves where they are.
class RecipeReader {
 public:
  RecipeReader(const MappingContext& context, const ConfigNode& root) : context_(context), unshown_(context.report), reader_(root, "", "", context.report) {}

  std::vector<Parameter> parameters() {
    std::vector<Parameter> parameters;
    (void)reader_.text("description");
    const ConfigNode* table = reader_.table("parameters");
    if (table == nullptr) return parameters;
    TableReader reader = reader_.within(*table, "parameters");
    for (const ConfigEntry& entry : table->entries) {
      if (!is_word(entry.key, "-")) reader.fail_key(entry.key, "expected a name of letters, digits, `_` and `-` that begins with a letter or `_`");
      const ConfigNode* details = reader.table(entry.key);
      if (details == nullptr) continue;
      TableReader one = reader.within(*details, entry.key);
      (void)one.text("description");
      const ConfigNode* fallback = one.text("default");
      one.finish();
      parameters.push_back({entry.key, fallback != nullptr ? std::optional(fallback->text) : std::nullopt});
    }
    return parameters;
  }

  std::vector<StepOptions> steps(const std::vector<Parameter>& parameters) {
    KnownNames known;
    known.parameters.emplace();
    for (const auto& parameter : parameters) known.parameters->push_back(parameter.name);
    if (!reader_.has("steps")) reader_.fail_table("a recipe needs `steps`");
    reader_.allow("steps");
    reader_.finish();
    return read_step_list(reader_, "steps", "steps", context_, std::nullopt, known);
  }

 private:
  const MappingContext& context_;
  ConfigReport::Unshown unshown_;
  TableReader reader_;
};

// The tree of the file at `path`; nullopt: reported at `node`, or in the file.
std::optional<ConfigNode> read_recipe_file(TableReader& reader, const ConfigNode& node, const MappingContext& context, const fs::path& path) {
  const auto found = read_config(path, node.text);
  if (!found) {
    reader.fail(node, "recipe", found.error().text());
    return std::nullopt;
  }
  auto file = std::make_shared<ConfigFile>();
  file->path = path;
  file->name = path.lexically_proximate(context.request.working_directory).string();
  if (file->name.starts_with("..")) file->name = path.string();
  file->base = path.parent_path();
  file->order = static_cast<int>(context.files.size()) + 1;
  context.files.push_back(path);
  auto parsed = parse_toml(found->text, file);
  if (const auto* fault = std::get_if<TomlFault>(&parsed)) {
    context.report.error(fault->place, fault->message);
    return std::nullopt;
  }
  expand_recipe(std::get<ConfigNode>(parsed), context.request.environment, context.report);
  find_secrets(std::get<ConfigNode>(parsed), context.request, context.report);
  return std::move(std::get<ConfigNode>(parsed));
}

// Each parameter with what it is given here, or its default.
Values parameter_values(TableReader& reader, const Values& given, const std::vector<Parameter>& parameters) {
  std::vector<std::string> names;
  Values values;
  for (const auto& parameter : parameters) {
    names.push_back(parameter.name);
    const auto own = std::find_if(given.begin(), given.end(), [&](const auto& value) { return value.first == parameter.name; });
    if (own != given.end()) {
      values.push_back(*own);
    } else if (parameter.fallback) {
      std::string text;  // of no template
      for (const char c : *parameter.fallback) text += c == '{' ? "{{" : c == '}' ? "}}" : std::string(1, c);
      values.emplace_back(parameter.name, Template::parse(text));
    } else {
      reader.fail_key("recipe", "needs the parameter `" + parameter.name + "`; expected it in `with`");
    }
  }
  for (const auto& [name, value] : given) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    reader.fail(*reader.any("with"), "with", "the recipe has no parameter `" + name + "`" + (names.empty() ? "" : suggestion(name, names)));
  }
  return values;
}

}  // namespace

void read_set(TableReader& reader, const KnownNames& known, StepOptions& step) {
  SetStepOptions set{read_values(reader, "set", known)};
  const ConfigNode* node = reader.any("set");
  if (node->is(ConfigNode::Kind::table) && node->entries.empty()) reader.fail(*node, "set", "expected at least one value, found an empty table");
  step.kind = std::move(set);
}

void read_foreach(TableReader& reader, KnownNames& known, StepOptions& step) {
  const ConfigNode* node = reader.any("foreach");
  if (node == nullptr) return;
  Foreach foreach;
  if (node->is(ConfigNode::Kind::array)) {
    const auto items = reader.texts("foreach");
    reader.show_texts("foreach", items, node);
    if (node->items.empty()) reader.fail(*node, "foreach", "expected at least one element, found an empty array");
    for (const ConfigNode* item : items) {
      foreach.items.push_back(Template::parse(item->text));
      check_template(reader, *item, "foreach", foreach.items.back(), known);
    }
  } else {
    foreach.list = read_template(reader, "foreach", known);
    if (node->is(ConfigNode::Kind::string) && !is_one_name(foreach.list)) reader.fail(*node, "foreach", "expected the name of a list, such as \"{files}\", or a list of strings, found " + shown(*node));
  }
  known.item = true;
  step.foreach = std::move(foreach);
}

void read_recipe(TableReader& reader, const MappingContext& context, const KnownNames& known, StepOptions& step) {
  const ConfigNode* node = reader.text("recipe");
  const auto given = read_values(reader, "with", known);
  GroupStepOptions group;
  if (node == nullptr) return;
  reader.show_text("recipe", *node);
  auto path = reader.resolve(*node, "recipe");
  if (!path) return;
  if (!path->has_extension()) *path += ".toml";
  *path = path->lexically_normal();
  auto& chain = context.recipes;
  if (std::find(chain.begin(), chain.end(), *path) != chain.end()) {
    std::string circle;
    for (const auto& each : chain) circle += each.filename().string() + " -> ";
    return reader.fail(*node, "recipe", "goes round in a circle: " + circle + path->filename().string());
  }
  if (chain.size() >= limits::kRecipeDepth) return reader.fail(*node, "recipe", "more than " + std::to_string(limits::kRecipeDepth) + " recipes within one another");
  const auto root = read_recipe_file(reader, *node, context, *path);
  if (!root) return;
  chain.push_back(*path);
  RecipeReader recipe(context, *root);
  const auto parameters = recipe.parameters();
  group.recipe = node->text;
  group.steps = recipe.steps(parameters);
  group.parameters = parameter_values(reader, given, parameters);
  chain.pop_back();
  step.kind = std::move(group);
}

void read_parallel(TableReader& reader, const std::string& heading, const MappingContext& context, KnownNames& known, StepOptions& step) {
  GroupStepOptions group;
  group.kind = GroupStepOptions::Kind::parallel;
  const ConfigNode* list = reader.any("parallel");
  const auto before = known;
  for (const ConfigNode* table : reader.tables("parallel")) {
    for (const char* key : {"foreach", "set", "recipe", "parallel", "wait", "always"}) {
      if (const auto* entry = table->find(key)) reader.fail(entry->value, "parallel", "a step of several at once cannot have `" + std::string(key) + "`; expected it in a step of its own");
    }
  }
  KnownNames own = before;
  group.steps = read_step_list(reader, "parallel", heading, context, step.timeout, own);
  if (group.steps.size() > limits::kParallel) reader.fail(*list, "parallel", "more than " + std::to_string(limits::kParallel) + " steps at once");
  for (const auto& inner : group.steps) known.steps.push_back(inner.name);
  step.kind = std::move(group);
}

}  // namespace hark
